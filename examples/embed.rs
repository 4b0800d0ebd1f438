//! A node inside a program of its own, which prints what happens in its rooms and listens to every track.
//!
//! `cargo run --example embed -- --http-listen 127.0.0.1:8080`, then open that address in a browser.

use std::collections::BTreeMap;

use clap::Parser;
use motet::{Event, Node, RoomEvent, Tap, TapScope, Word};

/// Runs a node and prints what happens in its rooms and what their members send.
#[derive(Parser)]
struct Arguments {
    /// Where the page, the WebSocket and the API are served
    #[arg(long, default_value = "127.0.0.1:8080")]
    http_listen: String,
    /// The UDP port for all media; 0 takes any free one
    #[arg(long, default_value = "3478")]
    media_port: String,
    /// This machine's address for media
    #[arg(long, default_value = "127.0.0.1")]
    media_ip: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let (node, mut events) = Node::builder()
        .set("http-listen", &arguments.http_listen)
        .set("media-port", &arguments.media_port)
        .set("media-ip", &arguments.media_ip)
        .start()
        .await?;
    println!("http://{}", node.address());
    loop {
        tokio::select! {
            Some(event) = events.next() => {
                print(&event);
                if let Event::Room { room, event: RoomEvent::Opened } = event {
                    // A room that is gone again by now has nothing to hear.
                    if let Ok(tap) = node.tap(&room, TapScope::default()).await {
                        tokio::spawn(listen(room, tap));
                    }
                }
            }
            _ = tokio::signal::ctrl_c() => break,
            () = node.failed() => return Err("the node broke".into()),
        }
    }
    node.stop().await;
    // What happened at the end.
    while let Some(event) = events.next().await {
        print(&event);
    }
    Ok(())
}

fn print(event: &Event) {
    match event {
        Event::Room { room, event } => println!("{room}: {event:?}"),
        other => println!("{other:?}"),
    }
}

/// Prints a line for every key frame, with what came since the last one, and a sum for every track.
async fn listen(room: String, mut tap: Tap) {
    let mut tracks = BTreeMap::new();
    while let Some(word) = tap.next().await {
        match word {
            Word::Track {
                track,
                name,
                source,
                ..
            } => {
                println!("{room}: track {track} is {name}'s {source:?}");
                tracks.insert(track, (0_u64, 0_usize));
            }
            Word::Frame { track, frame } => {
                let (frames, bytes) = tracks.entry(track).or_default();
                (*frames, *bytes) = (*frames + 1, *bytes + frame.data.len());
                if let Some(format) = frame.format {
                    let (width, height) = (format.width, format.height);
                    let codec = frame.codec;
                    println!(
                        "{room}: track {track}: {codec:?} of {width}x{height} at {} ms",
                        frame.at_ms
                    );
                }
            }
            Word::Absent { track, cause } => println!("{room}: track {track}: {cause:?}"),
            Word::TrackOver { track } => {
                let (frames, bytes) = tracks.remove(&track).unwrap_or_default();
                println!("{room}: track {track} is over: {frames} frames, {bytes} bytes");
            }
            _ => {}
        }
    }
}
