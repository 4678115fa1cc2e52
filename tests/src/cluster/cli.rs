//! The command line of `cargo cluster`: parses, calls the library, prints.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};

use super::{Cluster, Level, Options, components, paths::Paths};

/// A real Kubernetes on this machine: no Docker, no registry, one command.
#[derive(Debug, Parser)]
#[command(name = "cargo cluster")]
pub struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start the cluster, or what is missing of it, and wait until it can be used.
    Up {
        /// How much of a cluster.
        #[arg(long, value_enum, default_value_t)]
        level: Level,
        /// Install missing Debian packages without asking (also: CI=true).
        #[arg(long)]
        yes: bool,
    },
    /// End the cluster and leave nothing behind; built programs stay cached.
    Down,
    /// What runs.
    Status,
    /// Run kubectl as the cluster's administrator.
    #[command(disable_help_flag = true)]
    Kubectl {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run helm as the cluster's administrator.
    #[command(disable_help_flag = true)]
    Helm {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Show what a component printed.
    Logs {
        /// As `status` names it, or `audit`.
        component: String,
        /// Go on as more is printed.
        #[arg(short, long)]
        follow: bool,
    },
    /// Make the images of an archive (OCI or Docker format) known to the node.
    Load {
        /// For example what `buildah push … oci-archive:FILE:NAME` wrote.
        file: PathBuf,
    },
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Up { level, yes } => up(level, yes)?,
            Action::Down => {
                let started = Instant::now();
                super::down()?;
                println!("the cluster is down ({:.1} s)", started.elapsed().as_secs_f32());
            }
            Action::Status => {
                let status = super::status()?;
                println!("{status}");
                return Ok(if status.is_up() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            Action::Kubectl { arguments } => become_program(running()?.kubectl().args(arguments))?,
            Action::Helm { arguments } => become_program(running()?.helm().args(arguments))?,
            Action::Logs { component, follow } => logs(&component, follow)?,
            Action::Load { file } => running()?.load_image(&file)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn up(level: Level, yes: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    let cluster = super::up(level, &Options { assume_yes: yes })?;
    let seconds = started.elapsed().as_secs_f32();
    println!("the cluster is up ({seconds:.1} s); its kubeconfig is {}", cluster.kubeconfig().display());
    Ok(())
}

/// The cluster as it is; nothing is started.
fn running() -> anyhow::Result<Cluster> {
    let cluster = Cluster::new(&Paths::standard()?);
    ensure!(cluster.kubeconfig().exists(), "no cluster is up; make one with `cargo cluster up`");
    Ok(cluster)
}

/// Its exit code, its terminal and its signals are ours.
fn become_program(command: &mut Command) -> anyhow::Result<()> {
    let shown = command.get_program().to_owned();
    Err(command.exec()).with_context(|| format!("cannot start {}", shown.display()))
}

fn logs(component: &str, follow: bool) -> anyhow::Result<()> {
    let paths = Paths::standard()?;
    let mut names: Vec<&str> = components::all(&paths).iter().map(|component| component.name).collect();
    names.push("audit");
    ensure!(names.contains(&component), "there is no component `{component}`; these are: {}", names.join(", "));
    let log = paths.log(component);
    ensure!(log.exists(), "`{component}` has not been started; see `cargo cluster status`");
    let mut tail = Command::new("tail");
    tail.args(["-n", "1000"]).args(follow.then_some("-F")).arg(log);
    become_program(&mut tail)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Action, Cli};

    #[test]
    fn everything_after_kubectl_belongs_to_kubectl() {
        let cli = Cli::try_parse_from(["cluster", "kubectl", "get", "pods", "-A", "--help"]).unwrap();
        let Action::Kubectl { arguments } = cli.action else { panic!("not kubectl") };
        assert_eq!(arguments, ["get", "pods", "-A", "--help"]);
    }
}
