//! What a person sees during the minutes of a first build: one bar a module.
//!
//! Without a terminal (CI) no bar is drawn; a line at the start and one at the end stand in the log.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// The bar of one module. Its length is unknown until [`Progress::expect`].
pub(super) struct Progress {
    name: &'static str,
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    pub(super) fn start(name: &'static str) -> Self {
        let bar = ProgressBar::no_length().with_style(style("{spinner} {prefix:12} {elapsed:>4} {msg}"));
        bar.set_prefix(name);
        bar.set_message("looking for its sources");
        bar.enable_steady_tick(Duration::from_millis(200));
        if !stderr().is_terminal() {
            eprintln!("building {name} from its Go module (once; minutes with empty caches)");
        }
        Self { name, bar, started: Instant::now() }
    }

    /// From now on packages are compiled, `packages` of them unless Go remembers some.
    pub(super) fn expect(&self, packages: u64) {
        self.bar.set_style(style("{spinner} {prefix:12} {elapsed:>4} [{bar:30}] {pos}/{len} {msg}"));
        self.bar.set_length(packages);
        self.bar.set_message("");
    }

    /// A line from `go`: a download, a package that is being compiled, or a complaint.
    pub(super) fn line(&self, line: &str) {
        if let Some(download) = line.strip_prefix("go: downloading ") {
            self.bar.set_message(format!("downloading {download}"));
        } else if self.bar.length().is_some() {
            self.bar.inc(1);
            self.bar.set_message(line.to_owned());
        }
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
        eprintln!("built {} in {} s", self.name, self.started.elapsed().as_secs());
    }
}

fn style(template: &str) -> ProgressStyle {
    // The default style is a poorer picture, never a failed build.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
