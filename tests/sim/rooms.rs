//! Many rooms, each from its own seed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::scenario::Scenario;
use crate::world::{Failure, Report, World};

/// How many rooms a plain `cargo test` lives through.
const SEEDS: u64 = 2_000;

#[test]
fn rooms_hold_what_they_promise_whatever_happens() {
    let began = Instant::now();
    let seeds = match setting("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let (reports, failures) = run_all(seeds);
    let media: u64 = reports.iter().map(|report| report.media).sum();
    let (carried, lost) = reports.iter().fold((0, 0), |(carried, lost), report| {
        (carried + report.carried, lost + report.lost)
    });
    println!(
        "{count} rooms, {media} media packets checked, {lost} of {carried} datagrams lost, {:.1?}",
        began.elapsed()
    );
    for (seed, failure) in failures.iter().take(5) {
        println!("SEED={seed} fails after {:.3?}:", failure.at);
        failure
            .faults
            .iter()
            .take(5)
            .for_each(|fault| println!("    {fault}"));
        if count == 1 {
            failure.story.iter().for_each(|line| println!("    {line}"));
        }
    }
    let failed: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
    assert!(
        failed.is_empty(),
        "{} of {count} seeds fail: {failed:?}",
        failed.len()
    );
}

/// On as many threads as there are cores.
fn run_all(seeds: std::ops::Range<u64>) -> (Vec<Report>, Vec<(u64, Failure)>) {
    let next = AtomicU64::new(seeds.start);
    let results = Mutex::new((vec![], vec![]));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let result = run(seed);
                    let mut results = results.lock().unwrap();
                    match result {
                        Ok(report) => results.0.push(report),
                        Err(failure) => results.1.push((seed, failure)),
                    }
                }
            });
        }
    });
    let (reports, mut failures) = results.into_inner().unwrap();
    failures.sort_by_key(|(seed, _)| *seed);
    (reports, failures)
}

fn run(seed: u64) -> Result<Report, Failure> {
    // A panic inside the node names its seed too.
    struct OnPanic(u64);
    impl Drop for OnPanic {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("SEED={} panics", self.0);
            }
        }
    }
    let _guard = OnPanic(seed);
    let mut scenario = Scenario::new(seed);
    scenario.told = setting("SEED").is_some();
    World::new(&scenario).run(&scenario)
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
