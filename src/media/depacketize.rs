//! RTP payloads into frames as files hold them.
//!
//! An [`Assembler`] takes the packets of one stream in their order and is told where some are
//! missing. What it gives out is whole.

mod av1;
mod bits;
mod h264;
mod vp8;
mod vp9;

use crate::logic::forward::codec::Codec;

/// A frame is not larger than this, in bytes: what claims to be is thrown away.
const FRAME_BYTES_MAX: usize = 4 << 20;

/// One packet, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The RTP timestamp: the same in all packets of a frame.
    pub timestamp: u32,
    /// In a picture, the last packet of its frame.
    pub marker: bool,
    /// The payload.
    pub payload: &'a [u8],
}

/// A whole frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The RTP timestamp.
    pub timestamp: u32,
    /// A decoder can start here.
    pub key: bool,
    /// As Matroska's codec mappings have it.
    pub data: Vec<u8>,
    /// What a decoder must know, where the frame says it: at key frames.
    pub format: Option<PictureFormat>,
}

/// What a picture is like from a key frame on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PictureFormat {
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
    /// `avcC` of H264, `av1C` of AV1, nothing for the others.
    pub private: Vec<u8>,
}

/// What makes no frame: a packet that is cut off, hostile, or does not follow the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken;

/// How one codec is put together.
trait Format: std::fmt::Debug + Send {
    /// Adds a payload to the frame that is open; `first` says that it opens it. It is called for no more
    /// than [`FRAME_BYTES_MAX`] and one packet of a frame, so that what is held back is bounded too.
    fn add(&mut self, payload: &[u8], first: bool, data: &mut Vec<u8>) -> Result<(), Broken>;

    /// Ends the frame: whether it is a key frame, and what that says.
    fn end(&mut self, data: &mut Vec<u8>) -> Result<(bool, Option<PictureFormat>), Broken>;
}

/// Puts the frames of one stream together.
#[derive(Debug)]
pub struct Assembler {
    format: Box<dyn Format>,
    /// A frame of sound is one packet, whatever its marker says.
    sound: bool,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    timestamp: u32,
    data: Vec<u8>,
    /// What came in, with what the format still holds back.
    bytes: usize,
    broken: bool,
}

/// What came of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assembled {
    /// The frame goes on.
    Nothing,
    /// It was the last packet of this one.
    Whole(Frame),
    /// A frame ended that is not whole: the next ones cannot be decoded without it.
    Lost,
}

impl Assembler {
    /// For a stream of that codec; RED must have been taken off.
    pub fn new(codec: Codec) -> Self {
        let format: Box<dyn Format> = match codec {
            Codec::Opus | Codec::Red => Box::new(Plain),
            Codec::Vp8 => Box::new(vp8::Vp8),
            Codec::Vp9 => Box::new(vp9::Vp9::default()),
            Codec::H264 | Codec::H264Main | Codec::H264High => Box::new(h264::H264::default()),
            Codec::Av1 => Box::new(av1::Av1::default()),
        };
        Self {
            sound: matches!(codec, Codec::Opus | Codec::Red),
            format,
            open: None,
        }
    }

    /// Takes the next packet.
    pub fn push(&mut self, piece: &Piece<'_>) -> Assembled {
        let goes_on = |open: &Open| open.timestamp == piece.timestamp;
        let interrupted = self.open.is_some() && !self.open.as_ref().is_some_and(goes_on);
        let going_on = self.open.take().filter(goes_on);
        let first = going_on.is_none();
        let mut open = going_on.unwrap_or(Open {
            timestamp: piece.timestamp,
            data: Vec::new(),
            bytes: 0,
            broken: false,
        });
        if !open.broken {
            open.bytes += piece.payload.len();
            let fits = open.bytes <= FRAME_BYTES_MAX;
            let added = self.format.add(piece.payload, first, &mut open.data);
            open.broken = !fits || added.is_err();
        }
        let assembled = match piece.marker || self.sound {
            true => self.end(open),
            false => {
                self.open = Some(open);
                Assembled::Nothing
            }
        };
        match &assembled {
            Assembled::Whole(frame) if frame.key => assembled,
            _ if interrupted => Assembled::Lost,
            _ => assembled,
        }
    }

    /// Packets are missing here: the frame that is open will not be whole.
    pub fn gap(&mut self) {
        self.open = None;
    }

    fn end(&mut self, mut open: Open) -> Assembled {
        if open.broken {
            return Assembled::Lost;
        }
        match self.format.end(&mut open.data) {
            Ok((key, format)) if !open.data.is_empty() => Assembled::Whole(Frame {
                timestamp: open.timestamp,
                key,
                data: open.data,
                format,
            }),
            _ => Assembled::Lost,
        }
    }
}

/// One packet is one frame (RFC 7587 §4.2).
#[derive(Debug)]
struct Plain;

impl Format for Plain {
    fn add(&mut self, payload: &[u8], _: bool, data: &mut Vec<u8>) -> Result<(), Broken> {
        data.extend_from_slice(payload);
        Ok(())
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(bool, Option<PictureFormat>), Broken> {
        Ok((true, None))
    }
}

#[cfg(test)]
mod tests;
