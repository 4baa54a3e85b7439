//! Writes the man pages and the shell completions that the packages install, from the command line itself.
//!
//! Usage: `cargo run --example pages -- DIRECTORY`. An example rather than a subcommand: the program on the device has
//! no use for it, and this one runs where the packages are built.
#![allow(missing_docs)]

#[allow(dead_code, unused_imports)]
#[path = "../src/cli/mod.rs"]
mod cli;

use std::error::Error;
use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};

const NAME: &str = "roomcam";
const CONFIG: &str = include_str!("../systemd/config.toml");

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).ok_or("usage: pages DIRECTORY")?;
    let directory = Path::new(&directory);
    let (man, completions) = (directory.join("man"), directory.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;

    clap_mangen::generate_to(cli::Cli::command(), &man)?;
    fs::write(man.join("roomcam-config.5"), config_page())?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut cli::Cli::command(), NAME, &completions)?;
    }
    Ok(())
}

/// The configuration file explains itself, so its page is the file.
fn config_page() -> String {
    let mut page = Roff::new();
    let version = concat!("roomcam ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["roomcam-config", "5", "", version]);
    page.control("SH", ["NAME"]);
    page.text([roman("roomcam-config - the configuration of roomcam")]);
    page.control("SH", ["SYNOPSIS"]);
    page.text([roman("/etc/roomcam/config.toml")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman("The file as it is installed, which explains every key:")]);
    page.control("PP", []);
    page.control("nf", []);
    for line in CONFIG.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("roomcam"), roman("(1), "), bold("roomcam-check"), roman("(1)")]);
    page.render()
}
