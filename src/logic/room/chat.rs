//! Lines of text.

use std::collections::VecDeque;
use std::time::Instant;

use crate::ids::MemberId;
use crate::logic::limits::Limits;
use crate::logic::names::{ChatError, check_chat};
use crate::protocol::event::Event;
use crate::protocol::reason::ErrorCode;
use crate::protocol::server::{ChatLine, ServerMessage};

use super::{Refusal, Room, RoomEffect};

/// What a newcomer gets to read: the last lines, bounded in number and in bytes; the oldest give way.
#[derive(Debug, Default)]
pub(super) struct History {
    lines: VecDeque<ChatLine>,
    bytes: usize,
}

impl History {
    pub(super) fn lines(&self) -> Vec<ChatLine> {
        self.lines.iter().cloned().collect()
    }

    fn push(&mut self, line: ChatLine, limits: &Limits) {
        self.bytes += weight(&line);
        self.lines.push_back(line);
        let lines_max = limits.history_lines as usize;
        let bytes_max = limits.history_bytes as usize;
        while self.lines.len() > lines_max || self.bytes > bytes_max {
            let oldest = self.lines.pop_front();
            self.bytes -= oldest.as_ref().map_or(self.bytes, weight);
        }
    }
}

fn weight(line: &ChatLine) -> usize {
    line.name.len() + line.text.len()
}

impl Room {
    pub(super) fn chat(
        &mut self,
        now: Instant,
        from: MemberId,
        text: String,
        out: &mut Vec<RoomEffect>,
    ) -> Result<(), Refusal> {
        let text = check_chat(&text, self.config.limits.chat_characters).map_err(refusal)?;
        let name = self.roster.get(from).map(|author| author.name.clone());
        let line = ChatLine {
            from,
            name: name.unwrap_or_default(),
            text,
            at_ms: self.age_ms(now),
        };
        let event = Event::new(ServerMessage::Chat(line.clone()));
        if let Some(author) = self.roster.get_mut(from) {
            author.quota.take_chat(now, &event)?;
        }
        self.talk.take(now, self.roster.len(), &event)?;
        self.history.push(line, &self.config.limits);
        self.tell_all(&event, out);
        Ok(())
    }
}

fn refusal(error: ChatError) -> Refusal {
    let code = match error {
        ChatError::TooLong => ErrorCode::TooLarge,
        ChatError::Empty | ChatError::Control => ErrorCode::Malformed,
    };
    Refusal::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_give_way() {
        let limits = Limits {
            history_lines: 3,
            history_bytes: 10,
            ..Limits::default()
        };
        let mut history = History::default();
        let mut push = |text: &str| {
            let line = ChatLine {
                from: MemberId(1),
                name: String::new(),
                text: text.into(),
                at_ms: 0,
            };
            history.push(line, &limits);
            let texts = history.lines.iter().map(|line| line.text.clone());
            texts.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(push("a"), "a");
        push("b");
        assert_eq!(push("c"), "a b c");
        assert_eq!(push("d"), "b c d", "three lines");
        assert_eq!(push("eeeeeeeee"), "d eeeeeeeee", "ten bytes");
        assert_eq!(push("ffffffffffff"), "", "a line that alone is too much");
        assert_eq!(push("g"), "g");
    }
}
