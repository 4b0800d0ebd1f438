//! Media files, frame by frame: IVF (VP8, VP9, AV1), Ogg (Opus), and the byte stream of H264.

#![allow(unreachable_pub)]

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use motet::Codec;
use motet::media::ogg::packet_samples;
use rtc::media::io::ivf_reader::IVFReader;

use super::Failure;

/// A file, read whole.
pub struct MediaFile {
    pub codec: Codec,
    pub frames: Vec<Frame>,
    /// From the first frame to the end of the last.
    pub duration: Duration,
}

/// A frame of a picture, or a packet of sound.
pub struct Frame {
    /// Since the beginning of the file.
    pub at: Duration,
    pub data: Bytes,
}

/// Reads a file that is what its name says. Pictures of H264, which say nothing of time, come `fps`
/// times a second.
pub fn read(path: &Path, fps: u32) -> Result<MediaFile, Failure> {
    let bytes = std::fs::read(path)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    let (codec, times) = match extension {
        Some("ivf") => ivf(&bytes)?,
        Some("ogg" | "opus") => (Codec::Opus, ogg(&bytes)?),
        Some("h264" | "264") => (Codec::H264, annex_b(&bytes, fps)),
        _ => return Err("expected a file .ivf, .ogg, .opus, .h264 or .264".into()),
    };
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Err("there is nothing in the file".into());
    };
    let (began, count) = (first.at, times.len() as u32);
    // The last frame is as long as the others are on average.
    let duration = match count {
        1 => Duration::from_secs(1) / fps,
        _ => (last.at - began) * count / (count - 1),
    };
    let frames = times.into_iter().map(|frame| Frame {
        at: frame.at.saturating_sub(began),
        data: frame.data,
    });
    Ok(MediaFile {
        codec,
        frames: frames.collect(),
        duration,
    })
}

fn ivf(bytes: &[u8]) -> Result<(Codec, Vec<Frame>), Failure> {
    let (mut reader, header) = IVFReader::new(bytes)?;
    let codec = match &header.four_cc {
        b"VP80" => Codec::Vp8,
        b"VP90" => Codec::Vp9,
        b"AV01" => Codec::Av1,
        other => return Err(format!("{} is not sent here", other.escape_ascii()).into()),
    };
    // What is called so is the number of units in a second, and how many of them a step is.
    let (units, step) = (header.timebase_denominator, header.timebase_numerator);
    let unit = f64::from(step) / f64::from(units.max(1));
    let mut frames = vec![];
    while let Ok((data, frame)) = reader.parse_next_frame() {
        frames.push(Frame {
            at: Duration::from_secs_f64(frame.timestamp as f64 * unit),
            data: data.freeze(),
        });
    }
    Ok((codec, frames))
}

/// Pages of one stream (RFC 3533 §6); its first two packets say what it is (RFC 7845 §3).
fn ogg(bytes: &[u8]) -> Result<Vec<Frame>, Failure> {
    let (mut packets, mut packet) = (vec![], vec![]);
    let mut rest = bytes;
    while let Some((head, after)) = rest.split_at_checked(27) {
        if !head.starts_with(b"OggS") {
            return Err("the file is not Ogg, or damaged".into());
        }
        let cut = "the file is cut off";
        let (lacing, mut content) = after.split_at_checked(head[26].into()).ok_or(cut)?;
        for &length in lacing {
            let (part, after) = content.split_at_checked(length.into()).ok_or(cut)?;
            packet.extend_from_slice(part);
            content = after;
            if length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        rest = content;
    }
    if !packets
        .first()
        .is_some_and(|head| head.starts_with(b"OpusHead"))
    {
        return Err("there is no Opus in the file".into());
    }
    let mut samples = 0;
    let frames = packets.into_iter().skip(2).filter_map(|packet| {
        let at = Duration::from_micros(samples * 1_000 / 48);
        samples += packet_samples(&packet)?;
        let data = packet.into();
        Some(Frame { at, data })
    });
    Ok(frames.collect())
}

/// Access units out of a byte stream (H.264 annex B): one begins with what comes before a picture, or
/// with the first slice of one.
fn annex_b(bytes: &[u8], fps: u32) -> Vec<Frame> {
    let mut units: Vec<Vec<u8>> = vec![];
    let mut has_slice = true;
    for unit in nal_units(bytes) {
        let is_slice = matches!(unit[0] & 0x1f, 1..=5);
        let is_first = !is_slice || unit.get(1).is_some_and(|byte| byte & 0x80 != 0);
        if has_slice && is_first {
            units.push(vec![]);
            has_slice = false;
        }
        has_slice |= is_slice;
        if let Some(open) = units.last_mut() {
            open.extend_from_slice(&[0, 0, 0, 1]);
            open.extend_from_slice(unit);
        }
    }
    let times = (0_u32..).map(|number| Duration::from_secs(1) * number / fps);
    let frames = times.zip(units).map(|(at, unit)| Frame {
        at,
        data: unit.into(),
    });
    frames.collect()
}

/// What is between start codes.
fn nal_units(bytes: &[u8]) -> Vec<&[u8]> {
    let codes = bytes.windows(3).enumerate();
    let starts = codes.filter(|(_, code)| *code == [0, 0, 1]);
    let starts: Vec<usize> = starts.map(|(at, _)| at + 3).collect();
    let ends = starts.iter().skip(1).map(|at| at - 3);
    let units = starts.iter().zip(ends.chain([bytes.len()]));
    let units = units.map(|(&start, end)| without_zeros(&bytes[start..end]));
    units.filter(|unit| !unit.is_empty()).collect()
}

/// Zeros before a start code belong to it.
fn without_zeros(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|&byte| byte != 0);
    &unit[..end.map_or(0, |end| end + 1)]
}
