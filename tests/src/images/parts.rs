//! What images are made of on this machine: files copied to where they are, and the shared libraries that programs are linked with.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::command::output;

/// Parts of Python's library that no server needs; some are large.
const NOT_NEEDED: [&str; 10] = [
    "__pycache__",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pip",
    "site-packages",
    "test",
    "tkinter",
    "turtledemo",
];

/// Copies a file, or a folder with all that is needed of it; links become what they lead to.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("cannot copy {} to {}", from.display(), to.display());
    if !from.is_dir() {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).with_context(failed)?;
        }
        return fs::copy(from, to).map(drop).with_context(failed);
    }
    for entry in fs::read_dir(from).with_context(failed)? {
        let name = entry.with_context(failed)?.file_name();
        let shown = name.to_string_lossy();
        let is_needed = !NOT_NEEDED.contains(&&*shown) && !shown.starts_with("config-");
        let (from, to) = (from.join(&name), to.join(&name));
        // A link that leads nowhere is nobody's.
        if is_needed && from.exists() {
            copy(&from, &to)?;
        }
    }
    Ok(())
}

/// The shared libraries that the program and the modules in `folders` are linked with, each where it is on this machine.
pub(super) fn add_libraries(root: &Path, program: &Path, folders: &[&Path]) -> Result<()> {
    let mut modules = vec![program.to_owned()];
    for folder in folders {
        find_modules(folder, &mut modules)?;
    }
    let said = output(Command::new("ldd").args(&modules))?;
    let libraries: Vec<&Path> = said.lines().filter_map(library).collect();
    ensure!(!libraries.is_empty(), "ldd names no library of {}", program.display());
    for library in libraries {
        let place = root.join(library.strip_prefix("/")?);
        // What packages bring along has been copied with them.
        if !place.exists() && !folders.iter().any(|folder| library.starts_with(folder)) {
            copy(library, &place)?;
        }
    }
    Ok(())
}

/// The path in a line of `ldd`: `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn library(line: &str) -> Option<&Path> {
    let (path, _) = line.trim().rsplit_once(" (0x")?;
    let path = Path::new(path.split_once("=> ").map_or(path, |(_, path)| path));
    path.is_absolute().then_some(path)
}

fn find_modules(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find_modules(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "so") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_the_absolute_path_in_a_line_of_ldd() {
        for (line, expected) in [
            ("\tlinux-vdso.so.1 (0x00007f9dddd84000)", None),
            (
                "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f9dddc8e000)",
                Some("/lib/x86_64-linux-gnu/libm.so.6"),
            ),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f9dddd86000)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tlibtk8.6.so => not found", None),
            ("/a/b.so:", None),
        ] {
            assert_eq!(library(line), expected.map(Path::new), "{line}");
        }
    }
}
