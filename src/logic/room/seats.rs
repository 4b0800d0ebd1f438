//! Who sits on which seat of a viewer.

use crate::ids::MemberId;
use crate::protocol::client::{Feed, Want};

/// What can fill a seat.
pub(super) type Sitter = (MemberId, Feed);

/// Places feeds on the seats of `viewer`.
///
/// `available` is in the order of its members' coming. `wants` is what the viewer asked for, most
/// wanted first; without any, they get everything, screens first. Whoever keeps a place keeps their
/// seat of `previous`.
pub(super) fn assign(
    seats: usize,
    viewer: MemberId,
    wants: &[Want],
    available: &[Sitter],
    previous: &[Option<Sitter>],
) -> Vec<Option<Sitter>> {
    let chosen = choose(seats, viewer, wants, available);
    let stays = |seat: usize| previous.get(seat).copied().flatten();
    let mut plan: Vec<Option<Sitter>> = (0..seats)
        .map(|seat| stays(seat).filter(|sitter| chosen.contains(sitter)))
        .collect();
    for sitter in chosen {
        if !plan.contains(&Some(sitter))
            && let Some(seat) = plan.iter_mut().find(|seat| seat.is_none())
        {
            *seat = Some(sitter);
        }
    }
    plan
}

fn choose(seats: usize, viewer: MemberId, wants: &[Want], available: &[Sitter]) -> Vec<Sitter> {
    let of = |feed| available.iter().filter(move |sitter| sitter.1 == feed);
    let asked = wants.iter().map(|want| (want.member, want.feed));
    let candidates: Vec<Sitter> = if wants.is_empty() {
        of(Feed::Screen).chain(of(Feed::Camera)).copied().collect()
    } else {
        asked.filter(|sitter| available.contains(sitter)).collect()
    };
    let mut chosen = Vec::new();
    for sitter in candidates {
        if chosen.len() < seats && sitter.0 != viewer && !chosen.contains(&sitter) {
            chosen.push(sitter);
        }
    }
    chosen
}
