//! Packets of one seat into files: in their order, whole frames, a new file for whoever sits there next.

#![allow(unreachable_pub)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use motet::Codec;
use motet::logic::forward::codec::MediaKind;
use motet::logic::record::reorder::{Next, Reorder};
use motet::media::depacketize::{Assembled, Assembler, Frame, Piece};
use motet::media::matroska::{Block, Muxer, TrackEntry, doc_type};
use motet::media::ogg::OggWriter;
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtp::packet::Packet;

use super::{Failure, codecs};

/// The files of one half of a seat, one after the other.
pub struct TrackFiles {
    folder: PathBuf,
    order: Reorder<Packet>,
    /// The newest packet's number, which does not wrap.
    newest: Option<u64>,
    assembler: Option<(Codec, Assembler)>,
    /// Pictures are of no use before the next key frame.
    awaits_key: bool,
    open: Option<OpenFile>,
    written: Vec<String>,
}

struct OpenFile {
    name: String,
    title: String,
    codec: Codec,
    private: Vec<u8>,
    file: File,
    container: Container,
    /// The timestamp of its first frame.
    began: u32,
    frames: u64,
}

enum Container {
    Matroska(Box<Muxer>),
    Ogg(Box<OggWriter>),
}

impl TrackFiles {
    /// Files in that folder, once there is something to write.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            order: Reorder::default(),
            newest: None,
            assembler: None,
            awaits_key: true,
            open: None,
            written: vec![],
        }
    }

    /// Takes a packet of what is called so now. Whether the picture cannot go on without a key frame.
    pub fn take(&mut self, title: Option<&str>, packet: &Packet) -> Result<bool, Failure> {
        let now = Instant::now();
        let sequence = self.extend(packet.header.sequence_number);
        self.order.push(now, sequence, packet.clone());
        let mut needs_key = false;
        while let Some(next) = self.order.pop(now) {
            needs_key |= self.assemble(title, next)?;
        }
        Ok(needs_key)
    }

    /// Ends what is open; a line for every file.
    pub fn finish(mut self) -> Result<Vec<String>, Failure> {
        self.close()?;
        Ok(self.written)
    }

    fn extend(&mut self, sequence: u16) -> u64 {
        let newest = *self.newest.get_or_insert(1 << 16 | u64::from(sequence));
        let step = sequence.wrapping_sub(newest as u16) as i16;
        let extended = newest.saturating_add_signed(step.into());
        self.newest = Some(newest.max(extended));
        extended
    }

    fn assemble(&mut self, title: Option<&str>, next: Next<Packet>) -> Result<bool, Failure> {
        let Next::Packet(packet) = next else {
            if let Some((_, assembler)) = &mut self.assembler {
                assembler.gap();
            }
            self.awaits_key = true;
            return Ok(true);
        };
        let header = &packet.header;
        let Some(codec) = codecs::of_payload_type(header.payload_type) else {
            return Ok(false);
        };
        self.assembler.take_if(|(former, _)| *former != codec);
        let (_, assembler) = self
            .assembler
            .get_or_insert_with(|| (codec, Assembler::new(codec)));
        let piece = Piece {
            timestamp: header.timestamp,
            marker: header.marker,
            payload: &packet.payload,
        };
        match assembler.push(&piece) {
            Assembled::Nothing => Ok(false),
            Assembled::Lost => {
                self.awaits_key = true;
                Ok(true)
            }
            Assembled::Whole(frame) if frame.key || !self.awaits_key => {
                self.awaits_key = false;
                self.write(title, codec, &frame)
            }
            Assembled::Whole(_) => Ok(true),
        }
    }

    fn write(&mut self, title: Option<&str>, codec: Codec, frame: &Frame) -> Result<bool, Failure> {
        let fits = |open: &OpenFile| {
            let format = frame.format.as_ref();
            Some(open.title.as_str()) == title
                && open.codec == codec
                && format.is_none_or(|format| format.private == open.private)
        };
        if !self.open.as_ref().is_some_and(fits) {
            self.close()?;
            let Some(title) = title else {
                return Ok(false);
            };
            // A file begins with a key frame, which says how large the picture is.
            if codec.kind() == MediaKind::Video && frame.format.is_none() {
                return Ok(true);
            }
            let number = self.written.len() + 1;
            let open = OpenFile::create(&self.folder, title, number, codec, frame)?;
            self.open = Some(open);
        }
        if let Some(open) = &mut self.open {
            open.write(frame)?;
        }
        Ok(false)
    }

    fn close(&mut self) -> Result<(), Failure> {
        if let Some(open) = self.open.take() {
            self.written.push(open.finish()?);
        }
        Ok(())
    }
}

impl OpenFile {
    fn create(
        folder: &std::path::Path,
        title: &str,
        number: usize,
        codec: Codec,
        frame: &Frame,
    ) -> Result<Self, Failure> {
        let format = frame.format.clone().unwrap_or_default();
        let entry = TrackEntry {
            codec,
            width: format.width,
            height: format.height,
            private: format.private.clone(),
            name: title.to_owned(),
        };
        let mut head = vec![];
        let is_sound = codec.kind() == MediaKind::Audio;
        let extension = match (is_sound, doc_type(std::slice::from_ref(&entry))) {
            (true, _) => "ogg",
            (_, "webm") => "webm",
            _ => "mkv",
        };
        let container = match is_sound {
            true => Container::Ogg(Box::new(OggWriter::new(1, &mut head))),
            false => {
                let began = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
                Container::Matroska(Box::new(Muxer::new(&[entry], began as i64, &mut head)))
            }
        };
        let name = format!("{title}-{number}.{extension}");
        let mut file = File::create_new(folder.join(&name))?;
        file.write_all(&head)?;
        Ok(Self {
            name,
            title: title.to_owned(),
            codec,
            private: format.private,
            file,
            container,
            began: frame.timestamp,
            frames: 0,
        })
    }

    fn write(&mut self, frame: &Frame) -> Result<(), Failure> {
        let ticks = u64::from(frame.timestamp.wrapping_sub(self.began));
        let at_ms = ticks * 1_000 / u64::from(self.codec.clock_rate());
        let mut bytes = vec![];
        match &mut self.container {
            Container::Matroska(muxer) => muxer.write(
                &Block {
                    track: 0,
                    at_ms,
                    key: frame.key,
                    data: &frame.data,
                },
                &mut bytes,
            ),
            Container::Ogg(writer) => writer.write(at_ms, &frame.data, &mut bytes),
        }
        self.frames += 1;
        self.file.write_all(&bytes)?;
        Ok(())
    }

    /// Ends the file; a line about it.
    fn finish(mut self) -> Result<String, Failure> {
        let mut bytes = vec![];
        let (duration_ms, patches) = match self.container {
            Container::Matroska(muxer) => (muxer.duration_ms(), muxer.finish(&mut bytes)),
            Container::Ogg(writer) => {
                let duration_ms = writer.duration_ms();
                writer.finish(&mut bytes);
                (duration_ms, vec![])
            }
        };
        self.file.write_all(&bytes)?;
        for patch in patches {
            self.file.seek(SeekFrom::Start(patch.at))?;
            self.file.write_all(&patch.bytes)?;
        }
        let (name, codec, frames) = (self.name, self.codec, self.frames);
        let seconds = duration_ms as f64 / 1_000.0;
        Ok(format!(
            "{name}: {codec:?}, {frames} frames, {seconds:.1} s"
        ))
    }
}

/// Asks for a key frame of what that packet belongs to.
pub fn key_frame_request(packet: &Packet) -> Vec<Box<dyn rtcp::Packet>> {
    vec![Box::new(PictureLossIndication {
        sender_ssrc: 0,
        media_ssrc: packet.header.ssrc,
    })]
}
