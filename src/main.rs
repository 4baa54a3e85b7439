//! The `roomcam` command: parses, dispatches, and says once what went wrong.

mod cli;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use roomcam::config::ConfigErrors;

use cli::{Cli, Command, LogError};

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

fn dispatch(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        Command::Run(args) => {
            let config = args.config.load()?;
            for warning in &config.warnings {
                tracing::warn!("{warning}");
            }
            Err("this build cannot do that yet".into())
        }
        Command::Check(args) => {
            args.config.load()?;
            Err("this build cannot do that yet".into())
        }
        Command::Demo(_) | Command::Relay(_) | Command::Devices(_) => {
            Err("this build cannot do that yet".into())
        }
    }
}
