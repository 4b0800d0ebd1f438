//! The `motet` binary: settings, log, signals.
#![allow(clippy::disallowed_methods)]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use motet::config::{LoadError, LogFormat, Settings};
use motet::io::banner::banner;
use motet::io::probe::check;
use motet::io::server::{Server, StartError};
use motet::io::signals::StopSignals;
use tracing_subscriber::EnvFilter;

/// After a second signal, as a shell reports a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    let settings = match Settings::load(std::env::args_os()) {
        Ok(settings) => settings,
        Err(LoadError::Asked(text)) => {
            // Whoever asked may have stopped reading.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&error),
    };
    if settings.check {
        return match check(settings.http_listen) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    start_log(&settings);
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

#[tokio::main]
async fn run(settings: Settings) -> Result<(), StartError> {
    let mut signals = StopSignals::new()?;
    let server = Server::start(settings).await?;
    // The node runs on when nobody reads its standard output.
    let _ = std::io::stdout().write_all(banner(&server).as_bytes());
    tokio::select! {
        () = signals.next() => {}
        () = server.failed() => {
            return Err(StartError::System(std::io::Error::other("a media thread has ended")));
        }
    }
    tracing::info!("stopping; a second signal stops at once");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(INTERRUPTED);
    });
    server.stop().await;
    Ok(())
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
