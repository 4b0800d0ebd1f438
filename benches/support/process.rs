//! The node as a process of its own, and what it uses.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running node; killed when dropped.
pub struct Process {
    child: Child,
    pub http: SocketAddr,
    pub media: SocketAddr,
}

impl Process {
    /// Starts the binary on free ports of loopback and waits until it listens.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_motet"))
            .args(["--http-listen", "127.0.0.1:0", "--media-port", "0"])
            .args(["--media-ip", "127.0.0.1", "--log", "error"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line =
            lines.find_map(|line| line.unwrap().strip_prefix("listening ").map(str::to_owned));
        let line = line.expect("the node says where it listens");
        let address = |name: &str| {
            let value = line
                .split(' ')
                .find_map(|word| word.strip_prefix(name))
                .unwrap();
            value.split(',').next().unwrap().parse().unwrap()
        };
        let (http, media) = (address("http="), address("media="));
        Self { child, http, media }
    }

    /// Time on a processor since the start, all threads.
    pub fn cpu(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanoseconds = tasks.filter_map(|task| {
            let schedule = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            schedule.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
