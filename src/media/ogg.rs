//! Opus in Ogg (RFC 7845, RFC 3533): one stream of sound, in pages that stand on their own.
//!
//! A file that ends anywhere plays up to its last whole page; [`repair`] takes off the rest and
//! marks the end.

use std::io::{self, Read, Seek, SeekFrom};

use super::verdict::{Repair, Verdict};

/// Opus counts in this, whatever it carries (RFC 7845 §4).
const SAMPLES_PER_MS: u64 = 48;
/// A page holds no more than this, in samples: one second.
const PAGE_SAMPLES_MAX: u64 = 48_000;
/// A page has no more lacing values than this (RFC 3533 §6).
const SEGMENTS_MAX: usize = 255;
/// Bytes before the lacing values.
const PAGE_HEAD: usize = 27;
/// Where a page has its checksum.
const CHECKSUM_AT: usize = 22;
/// The most bytes of a page.
const PAGE_MAX: usize = PAGE_HEAD + SEGMENTS_MAX + SEGMENTS_MAX * 255;
/// A pause shorter than this is not filled: timestamps wander by as much.
const GAP_SAMPLES_MIN: u64 = 960;
/// The packets that fill a pause are of this length, in samples: 20 ms.
const FILLER_SAMPLES: u64 = 960;
/// Fullband CELT of 20 ms in stereo, code 0 (RFC 6716 §3.1); with nothing behind it, a packet that
/// was lost or not sent (RFC 7845 §4.1).
const FILLER: [u8; 1] = [0xfc];

const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

/// The identification header (RFC 7845 §5.1): two channels at 48 kHz, nothing to skip, because what
/// was recorded begins in the middle of a stream.
pub fn opus_head() -> [u8; 19] {
    let mut head = *b"OpusHead\x01\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    head[12..16].copy_from_slice(&48_000_u32.to_le_bytes());
    head
}

/// The comment header (RFC 7845 §5.2).
fn opus_tags() -> Vec<u8> {
    let vendor = b"Motet";
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&(vendor.len() as u32).to_le_bytes());
    tags.extend_from_slice(vendor);
    tags.extend_from_slice(&0_u32.to_le_bytes());
    tags
}

/// How long a packet of Opus is, in samples at 48 kHz (RFC 6716 §3.1); `None` if it is none.
pub fn packet_samples(packet: &[u8]) -> Option<u64> {
    let (&toc, rest) = packet.split_first()?;
    let config = toc >> 3;
    let frame: u64 = match config {
        0..12 => [480, 960, 1_920, 2_880][usize::from(config % 4)],
        12..16 => [480, 960][usize::from(config % 2)],
        _ => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(rest.first()? & 0x3f),
    };
    // A packet is at most 120 ms long.
    let samples = frame * frames;
    (1..=5_760).contains(&samples).then_some(samples)
}

/// Writes one file. What it writes is appended to `out`, to be appended to the file.
#[derive(Debug)]
pub struct OggWriter {
    serial: u32,
    pages: u32,
    written: u64,
    /// Samples until now: the granule position of the next page.
    samples: u64,
    /// Of the page that is open.
    since: u64,
    lacing: Vec<u8>,
    content: Vec<u8>,
}

impl OggWriter {
    /// Begins a file; `serial` names the stream.
    pub fn new(serial: u32, out: &mut Vec<u8>) -> Self {
        let mut writer = Self {
            serial,
            pages: 0,
            written: 0,
            samples: 0,
            since: 0,
            lacing: Vec::new(),
            content: Vec::new(),
        };
        writer.put_packet(&opus_head());
        writer.end_page(FIRST, out);
        writer.put_packet(&opus_tags());
        writer.end_page(0, out);
        writer
    }

    /// Adds a packet that is heard `at_ms` after the beginning of the file. What is missing before it
    /// is filled with packets that say so; one that is not Opus is left out.
    pub fn write(&mut self, at_ms: u64, packet: &[u8], out: &mut Vec<u8>) {
        let Some(samples) = packet_samples(packet) else {
            return;
        };
        let at = at_ms * SAMPLES_PER_MS;
        if at >= self.samples + GAP_SAMPLES_MIN {
            while self.samples + FILLER_SAMPLES <= at {
                self.append(&FILLER, FILLER_SAMPLES, out);
            }
        }
        self.append(packet, samples, out);
    }

    fn append(&mut self, packet: &[u8], samples: u64, out: &mut Vec<u8>) {
        let is_full = self.lacing.len() + packet.len() / 255 + 1 > SEGMENTS_MAX;
        if is_full || self.samples + samples > self.since + PAGE_SAMPLES_MAX {
            self.flush(out);
        }
        self.put_packet(packet);
        self.samples += samples;
    }

    fn put_packet(&mut self, packet: &[u8]) {
        self.lacing
            .resize(self.lacing.len() + packet.len() / 255, 255);
        self.lacing.push((packet.len() % 255) as u8);
        self.content.extend_from_slice(packet);
    }

    /// Ends the page that is open: what came until now is in `out`.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.lacing.is_empty() {
            self.end_page(0, out);
        }
    }

    /// Ends the file.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.end_page(LAST, out);
    }

    fn end_page(&mut self, flags: u8, out: &mut Vec<u8>) {
        let before = out.len();
        let place = (self.serial, self.pages);
        put_page(
            out,
            flags,
            self.samples,
            place,
            (&self.lacing, &self.content),
        );
        self.pages += 1;
        self.written += (out.len() - before) as u64;
        self.since = self.samples;
        self.lacing.clear();
        self.content.clear();
    }

    /// Bytes of the file so far, without what [`OggWriter::flush`] would add.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How long the file is so far, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.samples / SAMPLES_PER_MS
    }
}

/// Writes a page (RFC 3533 §6).
fn put_page(
    out: &mut Vec<u8>,
    flags: u8,
    granule: u64,
    (serial, number): (u32, u32),
    (lacing, content): (&[u8], &[u8]),
) {
    let begin = out.len();
    out.extend_from_slice(b"OggS\0");
    out.push(flags);
    out.extend_from_slice(&granule.to_le_bytes());
    out.extend_from_slice(&serial.to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(lacing.len() as u8);
    out.extend_from_slice(lacing);
    out.extend_from_slice(content);
    let checksum = checksum(&out[begin..]);
    out[begin + CHECKSUM_AT..][..4].copy_from_slice(&checksum.to_le_bytes());
}

/// CRC-32 of a page whose own field is zero: polynomial 0x04C11DB7, nothing reflected, nothing
/// inverted (RFC 3533 §6).
fn checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum, &byte| {
        sum << 8 ^ CHECKSUMS[((sum >> 24) as u8 ^ byte) as usize]
    })
}

const CHECKSUMS: [u32; 256] = checksums();

const fn checksums() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = sum << 1 ^ if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}

/// Says what a file of [`OggWriter`] needs. It may have ended anywhere: whole pages are kept.
///
/// # Errors
/// Those of `file`.
pub fn repair(file: &mut (impl Read + Seek)) -> io::Result<Verdict> {
    let mut keep = 0;
    let mut last = None;
    while let Some(page) = read_page(file, keep)? {
        keep += page.length;
        last = Some(page);
    }
    let length = file.seek(SeekFrom::End(0))?;
    let Some(last) = last.filter(|page| page.granule > 0) else {
        return Ok(Verdict::Empty);
    };
    if last.flags & LAST != 0 && keep == length {
        return Ok(Verdict::Whole);
    }
    let mut append = Vec::new();
    if last.flags & LAST == 0 {
        let place = (last.serial, last.number.wrapping_add(1));
        put_page(&mut append, LAST, last.granule, place, (&[], &[]));
    }
    Ok(Verdict::Repair(Repair {
        keep,
        append,
        patches: Vec::new(),
        duration_ms: last.granule / SAMPLES_PER_MS,
    }))
}

struct Page {
    length: u64,
    flags: u8,
    granule: u64,
    serial: u32,
    number: u32,
}

/// The page there, if it is whole and undamaged.
fn read_page(file: &mut (impl Read + Seek), at: u64) -> io::Result<Option<Page>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(PAGE_MAX as u64).read_to_end(&mut bytes)?;
    Ok(parse_page(&bytes))
}

fn parse_page(bytes: &[u8]) -> Option<Page> {
    let head: &[u8; PAGE_HEAD] = bytes.first_chunk()?;
    let lacing = bytes.get(PAGE_HEAD..PAGE_HEAD + usize::from(head[26]))?;
    let content: usize = lacing.iter().map(|&value| usize::from(value)).sum();
    let length = PAGE_HEAD + lacing.len() + content;
    let mut page = bytes.get(..length)?.to_vec();
    page[CHECKSUM_AT..CHECKSUM_AT + 4].fill(0);
    let told = le32(&head[CHECKSUM_AT..]);
    let is_page = head.starts_with(b"OggS\0") && head[5] & CONTINUED == 0;
    (is_page && checksum(&page) == told).then(|| Page {
        length: length as u64,
        flags: head[5],
        granule: u64::from(le32(&head[6..])) | u64::from(le32(&head[10..])) << 32,
        serial: le32(&head[14..]),
        number: le32(&head[18..]),
    })
}

fn le32(bytes: &[u8]) -> u32 {
    let four = bytes.first_chunk().copied().unwrap_or_default();
    u32::from_le_bytes(four)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// 20 ms of silence as browsers send it.
    const SILENCE: [u8; 3] = [0xfc, 0xff, 0xfe];

    fn file(packets: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = OggWriter::new(7, &mut out);
        for number in 0..packets {
            writer.write(number * 20, &SILENCE, &mut out);
        }
        assert_eq!(writer.duration_ms(), packets * 20);
        writer.finish(&mut out);
        out
    }

    fn pages(file: &[u8]) -> Vec<Page> {
        let mut rest = file;
        std::iter::from_fn(|| {
            let page = parse_page(rest)?;
            rest = &rest[page.length as usize..];
            Some(page)
        })
        .collect()
    }

    #[test]
    fn the_length_of_a_packet_is_in_its_first_bytes() {
        let cases: [(&[u8], Option<u64>); 9] = [
            (&[0xfc], Some(960)),
            (&[0xfd, 0], Some(1_920)),
            (&[0x00], Some(480)),
            (&[0x18], Some(2_880)),
            (&[0x60], Some(480)),
            (&[0x80], Some(120)),
            (&[0xff, 6], Some(5_760)),
            (&[0xff, 7], None),
            (&[], None),
        ];
        for (packet, samples) in cases {
            assert_eq!(packet_samples(packet), samples, "{packet:02x?}");
        }
    }

    #[test]
    fn the_checksum_is_the_one_of_its_polynomial() {
        // The check value of CRC-32/CKSUM, without that one's final inversion.
        assert_eq!(checksum(b"123456789"), !0x765e_7680);
    }

    #[test]
    fn a_page_ends_after_a_second_and_counts_samples() {
        let pages = pages(&file(120));
        let granules: Vec<_> = pages.iter().map(|page| page.granule).collect();
        assert_eq!(granules, [0, 0, 48_000, 96_000, 115_200]);
        let flags: Vec<_> = pages.iter().map(|page| page.flags).collect();
        assert_eq!(flags, [FIRST, 0, 0, 0, LAST]);
        assert!(
            pages
                .iter()
                .zip(0..)
                .all(|(page, number)| page.number == number)
        );
    }

    #[test]
    fn a_pause_is_filled_and_what_follows_is_at_its_time() {
        let mut out = Vec::new();
        let mut writer = OggWriter::new(7, &mut out);
        writer.write(0, &SILENCE, &mut out);
        writer.write(5_020, &SILENCE, &mut out);
        assert_eq!(writer.duration_ms(), 5_040);
        writer.write(5_045, &SILENCE, &mut out);
        assert_eq!(writer.duration_ms(), 5_060, "a wandering clock is no pause");
        writer.finish(&mut out);
        assert_eq!(pages(&out).last().unwrap().granule, 5_060 * 48);
    }

    #[test]
    fn a_finished_file_needs_nothing() {
        let verdict = repair(&mut Cursor::new(file(60))).unwrap();
        assert_eq!(verdict, Verdict::Whole);
    }

    proptest! {
        #[test]
        fn a_file_that_ends_anywhere_is_whole_after_repair(packets in 1u64..200, at in 0.0..1.0f64) {
            let file = file(packets);
            let cut = &file[..(file.len() as f64 * at) as usize];
            match repair(&mut Cursor::new(cut)).unwrap() {
                Verdict::Whole => prop_assert!(false, "it was cut"),
                Verdict::Empty => {
                    let headers = 2 * (PAGE_HEAD + 1) + 19 + 21;
                    let first = PAGE_HEAD + 4 * packets.min(50) as usize;
                    prop_assert!(cut.len() < headers + first);
                }
                Verdict::Repair(repair) => {
                    let mut repaired = cut[..repair.keep as usize].to_vec();
                    repaired.extend_from_slice(&repair.append);
                    let pages = pages(&repaired);
                    let length: u64 = pages.iter().map(|page| page.length).sum();
                    prop_assert_eq!(length as usize, repaired.len());
                    prop_assert_eq!(pages.last().unwrap().flags, LAST);
                    prop_assert_eq!(super::repair(&mut Cursor::new(repaired)).unwrap(), Verdict::Whole);
                }
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let headed = [b"OggS\0\0", &bytes[..]].concat();
            prop_assert_eq!(repair(&mut Cursor::new(headed)).unwrap(), Verdict::Empty);
            packet_samples(&bytes);
        }
    }
}
