//! The `roomcam` command: parses, dispatches, and says once what went wrong.

mod cli;

use std::error::Error;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use roomcam::agent::{self, RunOptions};
use roomcam::capture::devices;
use roomcam::config::{Config, ConfigErrors};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use cli::{Cli, Command, DevicesArgs, LogError, RunArgs};

/// Where to look for pipeline profiles before the usual places, for whoever writes one.
const PROFILES_VARIABLE: &str = "ROOMCAM_PIPELINES";

type Outcome = Result<ExitCode, Box<dyn Error>>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.start_logging().map_err(Into::into).and_then(|()| dispatch(cli.command)) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("roomcam: {error}");
            let misuse = error.is::<ConfigErrors>() || error.is::<LogError>();
            ExitCode::from(if misuse { 2 } else { 1 })
        }
    }
}

fn dispatch(command: Command) -> Outcome {
    // One thread is enough for sockets and control, and keeps memory small: GStreamer has its own.
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Run(args) => run(args).await,
            Command::Devices(args) => list_devices(&args),
            Command::Check(_) | Command::Demo(_) | Command::Relay(_) => {
                Err("this build cannot do that yet".into())
            }
        }
    })
}

async fn run(args: RunArgs) -> Outcome {
    let config = load(args.config.load()?);
    let options = RunOptions { trace_chunks: args.trace_chunks, profiles: profiles() };
    agent::run(&config, options, stop_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

fn list_devices(args: &DevicesArgs) -> Outcome {
    let devices = devices::list()?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&devices)?),
        false => print!("{devices}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what works but should be known.
fn load(config: Config) -> Config {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    config
}

fn profiles() -> Option<std::path::PathBuf> {
    std::env::var_os(PROFILES_VARIABLE).map(Into::into)
}

/// Resolves at SIGTERM or Ctrl-C.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    })
}
