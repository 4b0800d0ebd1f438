//! The `motet` binary: settings, log, signals.
#![allow(clippy::disallowed_methods)]

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use motet::config::{DoctorSettings, LoadError, LogFormat, Settings, is_doctor};
use motet::doctor::{Outcome, diagnose, report};
use motet::io::banner::banner;
use motet::io::doctor::gather;
use motet::io::open_files::raise_limit;
use motet::io::panics::log_panics;
use motet::io::probe::check;
use motet::io::server::{Server, StartError};
use motet::io::signals::{StopSignal, StopSignals};
use tracing_subscriber::EnvFilter;

/// After a second signal, as a shell reports a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if is_doctor(&arguments) {
        return match DoctorSettings::load(arguments) {
            Ok(settings) => report(&settings),
            Err(error) => answer(error),
        };
    }
    let settings = match Settings::load(arguments) {
        Ok(settings) => settings,
        Err(error) => return answer(error),
    };
    if settings.check {
        return match check(&settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    start_log(&settings);
    log_panics();
    raise_limit();
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[tokio::main]
async fn run(settings: Settings) -> Result<(), StartError> {
    let mut signals = StopSignals::new()?;
    let patience = Duration::from_secs(settings.drain_seconds.into());
    let server = Server::start(settings).await?;
    // The node runs on when nobody reads its standard output.
    let _ = std::io::stdout().write_all(banner(&server).as_bytes());
    let failure = || StartError::System(std::io::Error::other("a media thread has ended"));
    let signal = tokio::select! {
        signal = signals.next() => signal,
        () = server.failed() => return Err(failure()),
    };
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(INTERRUPTED);
    });
    if signal == StopSignal::Terminate && !patience.is_zero() {
        tracing::info!(
            seconds = patience.as_secs(),
            "stopping once every room is empty, or when that time is over; a second signal stops at once"
        );
        tokio::select! {
            () = server.drain(patience) => {}
            () = server.failed() => return Err(failure()),
        }
    }
    tracing::info!("stopping; a second signal stops at once");
    server.stop().await;
    Ok(())
}

fn report(settings: &DoctorSettings) -> ExitCode {
    let findings = match gather(settings) {
        Ok(facts) => diagnose(&facts),
        Err(error) => return fail(&error),
    };
    let is_coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = match settings.json {
        true => report::json(&findings),
        false => report::text(&findings, is_coloured),
    };
    let _ = std::io::stdout().write_all(text.as_bytes());
    match report::outcome(&findings) {
        Outcome::Problem => ExitCode::FAILURE,
        Outcome::Ok | Outcome::Warning => ExitCode::SUCCESS,
    }
}

/// What was asked for, or what is wrong with the settings.
fn answer(error: LoadError) -> ExitCode {
    match error {
        LoadError::Asked(text) => {
            // Whoever asked may have stopped reading.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        LoadError::Wrong(_) => fail(&error),
    }
}

fn start_log(settings: &Settings) {
    // The DTLS stack warns of every extension of a browser's hello that it does not know.
    let filter = EnvFilter::new(format!("rtc_dtls=error,{}", settings.log));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "motet: {error}");
    ExitCode::FAILURE
}
