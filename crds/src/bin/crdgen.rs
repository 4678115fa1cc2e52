//! `cargo generate`: writes the generated files; with `--check` it only says which are stale.

use std::{path::Path, process::ExitCode};

use crds::generated::{GeneratedFile, files};

fn main() -> ExitCode {
    let check = std::env::args().skip(1).any(|argument| argument == "--check");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut stale = false;
    for GeneratedFile { path, content } in files() {
        let file = root.join(path);
        if std::fs::read_to_string(&file).is_ok_and(|found| found == content) {
            continue;
        }
        stale = true;
        if check {
            eprintln!("{path} is stale: run `cargo generate` and commit the result");
            continue;
        }
        let written =
            file.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&file, content));
        if let Err(problem) = written {
            eprintln!("cannot write {path}: {problem}");
            return ExitCode::FAILURE;
        }
        println!("wrote {path}");
    }
    if check && stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
