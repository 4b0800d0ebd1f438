//! What members say about their direct connections.

use std::collections::BTreeMap;

use crate::ids::MemberId;
use crate::protocol::client::PairState;

/// Two members, in no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) low: MemberId,
    pub(super) high: MemberId,
}

impl Pair {
    pub(super) fn of(one: MemberId, other: MemberId) -> Pair {
        let (low, high) = (one.min(other), one.max(other));
        Pair { low, high }
    }

    pub(super) fn has(self, member: MemberId) -> bool {
        self.low == member || self.high == member
    }
}

/// What was said about every pair that may be direct: at most one entry for two members.
#[derive(Debug, Clone, Default)]
pub(super) struct PairReports(BTreeMap<Pair, Report>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Report {
    /// The last words of the one with the lower id, and of the other.
    said: [Option<PairState>; 2],
    /// Either said so, and they did not both take it back.
    has_failed: bool,
}

impl PairReports {
    /// One failure is enough; two who are connected are needed to mend it, because media flows
    /// both ways or is worth little.
    pub(super) fn say(&mut self, from: MemberId, about: MemberId, state: PairState) {
        let pair = Pair::of(from, about);
        let report = self.0.entry(pair).or_default();
        report.said[usize::from(from == pair.high)] = Some(state);
        match state {
            PairState::Failed => report.has_failed = true,
            PairState::Connected if report.said[0] == report.said[1] => report.has_failed = false,
            PairState::Connected => {}
        }
    }

    pub(super) fn has_failed(&self, pair: Pair) -> bool {
        self.0.get(&pair).is_some_and(|report| report.has_failed)
    }

    pub(super) fn failed(&self) -> impl Iterator<Item = Pair> + '_ {
        let failed = self.0.iter().filter(|(_, report)| report.has_failed);
        failed.map(|(pair, _)| *pair)
    }

    /// Few members without whom no failed pair would be left, those of most failures first: the
    /// likely causes.
    pub(super) fn culprits(&self) -> Vec<MemberId> {
        let mut failed: Vec<Pair> = self.failed().collect();
        let mut culprits = Vec::new();
        while let Some(worst) = most_frequent(&failed) {
            failed.retain(|pair| !pair.has(worst));
            culprits.push(worst);
        }
        culprits.sort();
        culprits
    }

    pub(super) fn forget(&mut self, member: MemberId) {
        self.0.retain(|pair, _| !pair.has(member));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn most_frequent(pairs: &[Pair]) -> Option<MemberId> {
    let mut counts: BTreeMap<MemberId, u32> = BTreeMap::new();
    for pair in pairs {
        *counts.entry(pair.low).or_default() += 1;
        *counts.entry(pair.high).or_default() += 1;
    }
    // Of several, the first.
    let most = counts.iter().rev().max_by_key(|(_, count)| **count);
    most.map(|(member, _)| *member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use PairState::{Connected, Failed};

    fn reports(said: &[(u64, u64, PairState)]) -> PairReports {
        let mut reports = PairReports::default();
        for &(from, about, state) in said {
            reports.say(MemberId(from), MemberId(about), state);
        }
        reports
    }

    #[test]
    fn a_pair_has_failed_from_the_first_word_until_both_take_it_back() {
        type Case<'a> = (&'a [(u64, u64, PairState)], bool);
        let cases: &[Case<'_>] = &[
            (&[], false),
            (&[(1, 2, Connected)], false),
            (&[(1, 2, Failed)], true),
            (&[(1, 2, Failed), (1, 2, Connected)], true),
            (&[(1, 2, Failed), (2, 1, Connected)], true),
            (
                &[(1, 2, Failed), (1, 2, Connected), (2, 1, Connected)],
                false,
            ),
            (
                &[(2, 1, Connected), (1, 2, Failed), (1, 2, Connected)],
                false,
            ),
            (
                &[(1, 2, Connected), (2, 1, Connected), (2, 1, Failed)],
                true,
            ),
            (&[(1, 2, Failed), (2, 1, Failed), (1, 2, Connected)], true),
            (&[(1, 3, Failed), (2, 3, Failed)], false),
        ];
        for (said, expected) in cases {
            let pair = Pair::of(MemberId(2), MemberId(1));
            assert_eq!(reports(said).has_failed(pair), *expected, "{said:?}");
        }
    }

    #[test]
    fn the_culprit_is_who_fails_with_most() {
        let failed = |pairs: &[(u64, u64)]| {
            let said: Vec<_> = pairs.iter().map(|&(a, b)| (a, b, Failed)).collect();
            let culprits = reports(&said).culprits();
            culprits.into_iter().map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(failed(&[]), [] as [u64; 0]);
        assert_eq!(failed(&[(1, 4), (4, 2), (3, 4)]), [4]);
        assert_eq!(failed(&[(1, 2), (3, 4)]), [1, 3]);
        assert_eq!(failed(&[(1, 2), (2, 3), (4, 5), (3, 5), (3, 1)]), [1, 3, 4]);
    }

    #[test]
    fn who_leaves_takes_their_failures_along() {
        let mut reports = reports(&[(1, 2, Failed), (2, 3, Failed)]);
        reports.forget(MemberId(1));
        let left: Vec<Pair> = reports.failed().collect();
        assert_eq!(left, [Pair::of(MemberId(2), MemberId(3))]);
        reports.clear();
        assert_eq!(reports.failed().count(), 0);
    }
}
