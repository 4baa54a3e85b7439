//! The `roomcam` command: parses, dispatches, and says once what went wrong.

mod cli;

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use roomcam::agent::{self, AgentError, RunOptions};
use roomcam::capture::{V4L2_COLLECT_BUFFERS, devices};
use roomcam::config::{Config, ConfigErrors};
use roomcam::control::{self, Control, Server, State};
use roomcam::demo::{self, Tokens};
use roomcam::doctor::{self, Finding, Status};
use roomcam::panel;
use roomcam::relay::{self, Relay};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use cli::{
    CheckArgs, Cli, Command, ConfigArgs, CtlArgs, DemoArgs, DevicesArgs, LampsAction, LampsArgs, LogError,
    RelayArgs, RelayArgsError, RunArgs, SecretFileError,
};

/// Where to look for pipeline profiles before the usual places, for whoever writes one.
const PROFILES_VARIABLE: &str = "ROOMCAM_PIPELINES";

type Outcome = Result<ExitCode, Box<dyn Error>>;

fn main() -> ExitCode {
    // SAFETY: this is the first thing that the program does; there is no other thread to read the environment.
    #[allow(unsafe_code)]
    unsafe {
        std::env::set_var(V4L2_COLLECT_BUFFERS, "1");
    }
    return_large_blocks();
    let cli = Cli::parse();
    match cli.start_logging().map_err(Into::into).and_then(|()| dispatch(cli.command)) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("roomcam: {error}");
            let misuse = error.is::<ConfigErrors>()
                || error.is::<LogError>()
                || error.is::<RelayArgsError>()
                || error.is::<SecretFileError>()
                || error.downcast_ref().is_some_and(AgentError::is_misconfiguration);
            ExitCode::from(if misuse { 2 } else { 1 })
        }
    }
}

/// Has glibc give pictures back to the system when they are freed. By itself it raises its bound for that with the first
/// picture, and each thread that ever had one keeps its memory: 13 MB for each time a camera was opened, up to 110 MB.
fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    {
        const LARGE: libc::c_int = 128 * 1024;
        // SAFETY: it changes a setting of the allocator, and there is no other thread yet.
        #[allow(unsafe_code)]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        }
    }
}

fn dispatch(command: Command) -> Outcome {
    // One thread is enough for sockets and control, and keeps memory small: GStreamer has its own.
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Run(args) => run(args).await,
            Command::Demo(args) => demo(args).await,
            Command::Relay(args) => relay(args).await,
            Command::Devices(args) => list_devices(&args),
            Command::Check(args) => check(args).await,
            Command::Ctl(args) => ctl(&args).await,
            Command::Lamps(LampsArgs { action: LampsAction::Off(config) }) => lamps_off(&config),
        }
    })
}

async fn run(args: RunArgs) -> Outcome {
    let config = args.config.load()?;
    warn(&config);
    let RunArgs { config: source, trace_chunks } = args;
    let (control, requests) = control::requests(State::default());
    let server = Server::open(&config.control, control.clone())?;
    let options = RunOptions {
        trace_chunks,
        profiles: profiles(),
        state_directory: state_directory(),
        requests: Some(requests),
        reload: Some(Box::new(move || source.load())),
    };
    let stop = stop_signal()?;
    let reload = reload_signal(control)?;
    let agent_gone = CancellationToken::new();
    let agent = async {
        let _gone = agent_gone.drop_guard_ref();
        tokio::select! {
            outcome = agent::run(&config, options, stop) => outcome,
            never = reload => match never {},
        }
    };
    let (agent, ()) = tokio::join!(agent, server.run(agent_gone.cancelled()));
    agent?;
    Ok(ExitCode::SUCCESS)
}

/// Logs what works in a configuration and should be different.
fn warn(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

async fn demo(args: DemoArgs) -> Outcome {
    relay::allow_many_connections();
    let tokens = Tokens::random();
    let relay = Relay::bind(args.listen, tokens.relay_options()).await?;
    let listens = relay.local_addr();
    let config = args.config(demo::reachable(listens), &tokens.publish)?;
    let page = |addr| format!("http://{addr}{}#token={}", args.page(), tokens.view);
    say(&format!("Watch at {}\n", page(demo::reachable(listens))))?;
    if let Some(elsewhere) = demo::reachable_from_elsewhere(listens) {
        let address = page(elsewhere);
        say(&format!("From another device: {address}\n"))?;
        if let Some(picture) = demo::qr_code(&address).filter(|_| io::stdout().is_terminal()) {
            say(&format!("\n{picture}\n"))?;
        }
    }
    let options = RunOptions { profiles: profiles(), ..RunOptions::default() };
    demo::run(relay, &config, options, stop_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

async fn relay(args: RelayArgs) -> Outcome {
    relay::allow_many_connections();
    let relay = Relay::bind(args.listen, args.options()?).await?;
    say(&format!("Relay and viewer page at http://{}/\n", demo::reachable(relay.local_addr())))?;
    relay.run(stop_signal()?).await;
    Ok(ExitCode::SUCCESS)
}

fn list_devices(args: &DevicesArgs) -> Outcome {
    let devices = devices::list()?;
    let text = if args.json { serde_json::to_string_pretty(&devices)? + "\n" } else { devices.to_string() };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn check(args: CheckArgs) -> Outcome {
    let mut findings = Vec::new();
    let mut said = Ok(());
    let mut report = |finding: Finding| {
        if !args.json && said.is_ok() {
            said = say(&format!("{finding}\n"));
        }
        findings.push(finding);
    };
    match args.config.load() {
        Ok(config) => {
            warn(&config);
            doctor::examine(&config, profiles(), report).await;
        }
        Err(errors) => report(Finding::new("configuration", Err(errors))),
    }
    said?;
    if args.json {
        say(&(serde_json::to_string_pretty(&findings)? + "\n"))?;
    }
    let failed = findings.iter().any(|finding| finding.status == Status::Failed);
    Ok(ExitCode::from(u8::from(failed)))
}

async fn ctl(args: &CtlArgs) -> Outcome {
    control::ctl::run(&args.client()?, args.operation(), args.format()).await?;
    Ok(ExitCode::SUCCESS)
}

fn lamps_off(config: &ConfigArgs) -> Outcome {
    let outcome = panel::lamps_off(&config.load_panel()?);
    for error in outcome.as_ref().err().into_iter().flatten() {
        eprintln!("roomcam: {error}");
    }
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first of those that systemd has made for the service, if it has.
fn state_directory() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("STATE_DIRECTORY")?).next()
}

/// Writes to stdout. Whoever reads it may stop at any time: `roomcam devices | head` has seen enough.
fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn profiles() -> Option<PathBuf> {
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

/// Has the agent read its configuration again at each SIGHUP; it says itself how that went.
fn reload_signal(control: Control) -> io::Result<impl Future<Output = Infallible>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            hangup.recv().await;
            let _ = control.command(control::Command::Reload).await;
        }
    })
}
