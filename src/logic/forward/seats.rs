//! Who sits on which seat of a viewer.

use crate::ids::MemberId;
use crate::protocol::client::{Feed, Want};

/// What can fill a seat: somebody's camera and voice, or their screen and its sound.
pub type Sitter = (MemberId, Feed);

/// Places feeds on the seats of `viewer`.
///
/// `available` is what is published, in the order of its members' joining. `wants` is what the
/// viewer asked for, most wanted first; without any, they get everything, screens first. Whoever
/// keeps a place keeps their seat of `previous`; when there are more than seats, the first ones sit.
pub fn assign(
    seats: usize,
    viewer: MemberId,
    wants: &[Want],
    available: &[Sitter],
    previous: &[Option<Sitter>],
) -> Vec<Option<Sitter>> {
    let chosen = choose(seats, viewer, wants, available);
    let mut plan: Vec<Option<Sitter>> = (0..seats)
        .map(|seat| previous.get(seat).copied().flatten())
        .map(|sitter| sitter.filter(|sitter| chosen.contains(sitter)))
        .collect();
    remove_repeated(&mut plan);
    let newcomers: Vec<Sitter> = chosen
        .into_iter()
        .filter(|sitter| !plan.contains(&Some(*sitter)))
        .collect();
    let free = plan.iter_mut().filter(|seat| seat.is_none());
    for (seat, newcomer) in free.zip(newcomers) {
        *seat = Some(newcomer);
    }
    plan
}

/// At most `seats` different feeds, most wanted first.
fn choose(seats: usize, viewer: MemberId, wants: &[Want], available: &[Sitter]) -> Vec<Sitter> {
    let mut chosen = Vec::new();
    let wanted = wants.iter().map(|want| (want.member, want.feed));
    let by_default = [Feed::Screen, Feed::Camera]
        .into_iter()
        .flat_map(|feed| available.iter().filter(move |sitter| sitter.1 == feed));
    let mut take = |sitter: Sitter| {
        let others = sitter.0 != viewer && available.contains(&sitter);
        if others && chosen.len() < seats && !chosen.contains(&sitter) {
            chosen.push(sitter);
        }
    };
    if wants.is_empty() {
        by_default.copied().for_each(&mut take);
    } else {
        wanted.for_each(&mut take);
    }
    chosen
}

fn remove_repeated(plan: &mut [Option<Sitter>]) {
    for seat in 1..plan.len() {
        let (before, after) = plan.split_at_mut(seat);
        if before.contains(&after[0]) {
            after[0] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u64 = 9;

    fn camera(member: u64) -> Sitter {
        (MemberId(member), Feed::Camera)
    }

    fn screen(member: u64) -> Sitter {
        (MemberId(member), Feed::Screen)
    }

    fn wants(sitters: &[Sitter]) -> Vec<Want> {
        sitters
            .iter()
            .map(|&(member, feed)| Want {
                member,
                feed,
                max_height: 360,
            })
            .collect()
    }

    fn plan(
        seats: usize,
        wanted: &[Sitter],
        available: &[Sitter],
        previous: &[Option<Sitter>],
    ) -> Vec<Option<Sitter>> {
        assign(seats, MemberId(ME), &wants(wanted), available, previous)
    }

    #[test]
    fn without_wants_everybody_else_sits_screens_first() {
        let available = [camera(3), camera(ME), camera(1), screen(1), screen(ME)];
        assert_eq!(
            plan(4, &[], &available, &[]),
            [Some(screen(1)), Some(camera(3)), Some(camera(1)), None]
        );
        assert_eq!(
            plan(2, &[], &available, &[]),
            [Some(screen(1)), Some(camera(3))]
        );
        assert_eq!(plan(0, &[], &available, &[]), []);
    }

    #[test]
    fn wants_decide_and_the_first_ones_win() {
        let available = [camera(1), camera(2), camera(3), camera(ME)];
        let wanted = [
            camera(3),
            camera(ME),
            camera(8),
            camera(3),
            screen(1),
            camera(1),
            camera(2),
        ];
        assert_eq!(
            plan(2, &wanted, &available, &[]),
            [Some(camera(3)), Some(camera(1))]
        );
        assert_eq!(
            plan(4, &[camera(2)], &available, &[]),
            [Some(camera(2)), None, None, None]
        );
    }

    /// Seats, wants; the plan.
    type Case<'a> = (usize, &'a [Sitter], &'a [Option<Sitter>]);

    #[test]
    fn whoever_stays_keeps_their_seat() {
        let before = [Some(camera(1)), Some(camera(2)), Some(camera(3))];
        let cases: &[Case<'_>] = &[
            (3, &[camera(3), camera(2), camera(1)], &before),
            (
                3,
                &[camera(4), camera(3), camera(1)],
                &[Some(camera(1)), Some(camera(4)), Some(camera(3))],
            ),
            (3, &[camera(3)], &[None, None, Some(camera(3))]),
            (
                2,
                &[camera(3), camera(2)],
                &[Some(camera(3)), Some(camera(2))],
            ),
            (
                4,
                &[camera(4), camera(3)],
                &[Some(camera(4)), None, Some(camera(3)), None],
            ),
        ];
        let available = [camera(1), camera(2), camera(3), camera(4)];
        for (seats, wanted, expected) in cases {
            assert_eq!(
                plan(*seats, wanted, &available, &before),
                *expected,
                "{wanted:?}"
            );
        }
    }

    #[test]
    fn a_broken_previous_plan_is_mended() {
        let before = [Some(camera(1)), Some(camera(1)), Some(camera(7))];
        let available = [camera(1), camera(2)];
        assert_eq!(
            plan(3, &[], &available, &before),
            [Some(camera(1)), Some(camera(2)), None]
        );
    }
}
