//! Reads an offer.

use rand::rngs::StdRng;

use super::{AnswerError, LocalSide, Negotiated};

/// An offer that has been read, but not answered yet.
#[derive(Debug)]
pub struct Offer<'a> {
    text: &'a str,
}

impl<'a> Offer<'a> {
    /// Reads an offer.
    ///
    /// # Errors
    /// It is too long, or not a session description.
    pub fn read(text: &'a str) -> Result<Self, AnswerError> {
        Ok(Offer { text })
    }

    /// Whether answering this offer after `previous` restarts ICE, so that the answer needs new
    /// local credentials.
    pub fn restarts_ice(&self, previous: &Negotiated) -> bool {
        let _ = (previous, self.text);
        false
    }

    /// See [`super::answer`].
    ///
    /// # Errors
    /// See [`super::answer`].
    pub fn answer(
        &self,
        local: &LocalSide<'_>,
        previous: Option<&Negotiated>,
        rng: &mut StdRng,
    ) -> Result<(String, Negotiated), AnswerError> {
        let _ = (local, previous, rng);
        Err(AnswerError::NoMedia)
    }
}
