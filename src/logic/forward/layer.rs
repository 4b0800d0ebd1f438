//! Which simulcast layer a leg should carry: what its viewer needs, of what flows.

use std::time::{Duration, Instant};

use super::packet::Facts;

/// Layers of a track; more are not negotiated, and packets of others are dropped.
pub const MAX_LAYERS: usize = 3;
/// A layer without a packet for this long does not flow: browsers switch upper layers off and on.
pub const FLOW_TIMEOUT: Duration = Duration::from_secs(1);
/// Height that the top layer is taken to have while nothing is known, in pixels.
const ASSUMED_HEIGHT: u16 = 720;

/// What is known about a layer when a track comes to a leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LayerInfo {
    /// Height of the picture in pixels.
    pub height: Option<u16>,
    /// When its last packet came.
    pub last_packet: Option<Instant>,
}

/// The layers of one track as a leg sees them, lowest first.
#[derive(Debug, Clone, Copy)]
pub struct Layers {
    infos: [LayerInfo; MAX_LAYERS],
    newest: [Option<u64>; MAX_LAYERS],
    count: usize,
    max_height: u16,
    max_layer: u8,
    /// The smallest layer that is large enough, if all of them flow.
    fitting: u8,
}

impl Layers {
    /// Layers, lowest first: at least one, at most [`MAX_LAYERS`] (the rest is ignored), for a
    /// viewer that shows `max_height` pixels.
    pub fn new(infos: &[LayerInfo], max_height: u16) -> Self {
        let mut layers = Self {
            infos: [LayerInfo::default(); MAX_LAYERS],
            newest: [None; MAX_LAYERS],
            count: 1,
            max_height,
            max_layer: u8::MAX,
            fitting: 0,
        };
        layers.learn(infos);
        layers
    }

    /// Takes over what became known in the meantime: more or fewer layers, heights.
    pub fn learn(&mut self, infos: &[LayerInfo]) {
        self.count = infos.len().clamp(1, MAX_LAYERS);
        for (own, info) in self.infos.iter_mut().zip(infos) {
            own.height = info.height.or(own.height);
            own.last_packet = info.last_packet.max(own.last_packet);
        }
        self.fit();
    }

    /// The viewer shows another height, in pixels.
    pub fn set_max_height(&mut self, max_height: u16) {
        self.max_height = max_height;
        self.fit();
    }

    /// The same layers for a viewer that wants none above this one.
    pub fn up_to(mut self, max_layer: u8) -> Self {
        self.max_layer = max_layer;
        self.fit();
        self
    }

    /// A packet came. Says whether it is the newest of its layer; `None` if the track has no such
    /// layer.
    pub fn heard(&mut self, now: Instant, facts: &Facts<'_>) -> Option<bool> {
        let index = usize::from(facts.origin.layer);
        if index >= self.count {
            return None;
        }
        let info = &mut self.infos[index];
        let newest = self.newest[index].is_none_or(|newest| facts.origin.sequence > newest);
        if newest {
            self.newest[index] = Some(facts.origin.sequence);
        }
        // Padding and repeated packets are probes of bandwidth: a layer that is off has them too.
        if newest && !facts.payload.is_empty() {
            info.last_packet = Some(now);
        }
        if newest
            && facts
                .height
                .is_some_and(|height| info.height != Some(height))
        {
            info.height = facts.height;
            self.fit();
        }
        Some(newest)
    }

    /// Packets of the layer are about to be heard a second time.
    pub fn rewind(&mut self, layer: u8) {
        if let Some(newest) = self.newest.get_mut(usize::from(layer)) {
            *newest = None;
        }
    }

    /// Whether packets of the layer come.
    pub fn flows(&self, now: Instant, layer: u8) -> bool {
        let info = self.infos[..self.count].get(usize::from(layer));
        info.and_then(|info| info.last_packet)
            .is_some_and(|last| now.saturating_duration_since(last) < FLOW_TIMEOUT)
    }

    /// The layer for the viewer: the smallest that is large enough, or what flows below it, or what
    /// flows above it. If nothing flows (a still screen, a muted camera), the one heard last.
    pub fn best(&self, now: Instant) -> u8 {
        let others_above = self.fitting + 1..self.count as u8;
        (0..=self.fitting)
            .rev()
            .chain(others_above)
            .find(|&layer| self.flows(now, layer))
            .unwrap_or_else(|| self.heard_last())
    }

    fn fit(&mut self) {
        let top = self.count as u8 - 1;
        self.fitting = (0..top)
            .find(|&layer| is_enough(self.height(layer), self.max_height))
            .unwrap_or(top)
            .min(self.max_layer);
    }

    fn heard_last(&self) -> u8 {
        (0..self.count)
            .max_by_key(|&index| (self.infos[index].last_packet, std::cmp::Reverse(index)))
            .map_or(0, |index| index as u8)
    }

    /// Height of a layer: as known, or from the nearest known one by halves.
    fn height(&self, layer: u8) -> u32 {
        let own = usize::from(layer);
        let known = (0..self.count)
            .filter_map(|index| Some((index, self.infos[index].height?)))
            .min_by_key(|&(index, _)| index.abs_diff(own));
        let (index, height) = known.unwrap_or((self.count - 1, ASSUMED_HEIGHT));
        let height = u32::from(height);
        if index > own {
            height >> (index - own)
        } else {
            height << (own - index)
        }
    }
}

/// A picture may be shown an eighth larger than it is; more pixels would hardly be seen.
fn is_enough(height: u32, shown: u16) -> bool {
    height * 8 >= u32::from(shown) * 7
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::forward::codec::Codec;
    use crate::logic::forward::publisher::Publisher;

    fn layers(heights: &[Option<u16>], flowing: &[bool], now: Instant, shown: u16) -> Layers {
        let infos: Vec<_> = heights
            .iter()
            .zip(flowing)
            .map(|(&height, &flows)| LayerInfo {
                height,
                last_packet: flows.then_some(now),
            })
            .collect();
        Layers::new(&infos, shown)
    }

    /// Known heights, which of them flow, the height shown; the layer.
    type Case<'a> = (&'a [Option<u16>], &'a [bool], u16, u8);

    #[test]
    fn the_smallest_that_is_large_enough_of_what_flows() {
        let now = Instant::now();
        let known = [Some(180), Some(360), Some(720)];
        let top_only = [None, None, Some(1080)];
        let unknown = [None, None, None];
        let all = [true; 3];
        let cases: &[Case<'_>] = &[
            (&known, &all, 90, 0),
            (&known, &all, 180, 0),
            (&known, &all, 200, 0),
            (&known, &all, 240, 1),
            (&known, &all, 720, 2),
            (&known, &all, 2160, 2),
            (&known, &[true, true, false], 720, 1),
            (&known, &[true, false, false], 720, 0),
            (&known, &[false, false, true], 180, 2),
            (&known, &[false, true, true], 180, 1),
            (&known, &[false; 3], 720, 0),
            (&top_only, &all, 270, 0),
            (&top_only, &all, 540, 1),
            (&top_only, &all, 720, 2),
            (&[Some(180), None, None], &all, 720, 2),
            (&unknown, &all, 180, 0),
            (&unknown, &all, 360, 1),
            (&unknown, &all, 720, 2),
            (&[None], &[true], 1080, 0),
            (&[None, None], &[true, true], 360, 0),
        ];
        for &(heights, flowing, shown, expected) in cases {
            let found = layers(heights, flowing, now, shown).best(now);
            assert_eq!(found, expected, "{heights:?} {flowing:?} shown at {shown}");
        }
    }

    #[test]
    fn none_above_the_highest_that_is_wanted_while_one_below_flows() {
        let now = Instant::now();
        for (flowing, max_layer, expected) in [
            ([true; 3], 0, 0),
            ([true; 3], 1, 1),
            ([true; 3], 2, 2),
            ([true; 3], u8::MAX, 2),
            ([true, false, true], 1, 0),
            ([false, false, true], 1, 2),
        ] {
            let mut layers = layers(&[None; 3], &flowing, now, u16::MAX).up_to(max_layer);
            assert_eq!(layers.best(now), expected, "{flowing:?} up to {max_layer}");
            // What is learnt of heights changes nothing about it.
            layers.learn(&[180, 360, 720].map(|height| LayerInfo {
                height: Some(height),
                last_packet: None,
            }));
            assert_eq!(layers.best(now), expected, "{flowing:?} up to {max_layer}");
        }
    }

    #[test]
    fn a_layer_stops_flowing_after_a_second_and_flows_again_at_once() {
        let start = Instant::now();
        let mut layers = layers(&[None, None], &[true, true], start, 720);
        let mut publishers = [0, 1].map(|layer| Publisher::new(1, layer, Codec::Vp8));
        let later = start + FLOW_TIMEOUT;
        layers.heard(later, &publishers[0].picture(false, 1)[0].facts());
        assert_eq!(layers.best(later), 0);
        layers.heard(later, &publishers[1].packet(false, &[]).facts());
        assert_eq!(layers.best(later), 0, "padding is no picture");
        layers.heard(later, &publishers[1].picture(false, 1)[0].facts());
        assert_eq!(layers.best(later), 1);
        assert_eq!(layers.best(later + FLOW_TIMEOUT), 0, "nothing flows");
    }

    #[test]
    fn late_packets_and_unknown_layers_are_told() {
        let now = Instant::now();
        let mut layers = layers(&[None], &[true], now, 720);
        let mut publisher = Publisher::new(1, 0, Codec::Vp8);
        let picture = publisher.picture(true, 2);
        assert_eq!(layers.heard(now, &picture[1].facts()), Some(true));
        assert_eq!(layers.heard(now, &picture[0].facts()), Some(false));
        let other = &Publisher::new(1, 1, Codec::Vp8).picture(true, 1)[0];
        assert_eq!(layers.heard(now, &other.facts()), None);
        layers.learn(&[LayerInfo::default(); 2]);
        assert_eq!(layers.heard(now, &other.facts()), Some(true));
    }

    #[test]
    fn key_frames_teach_heights() {
        let now = Instant::now();
        let mut layers = layers(&[None, None], &[true, true], now, 360);
        assert_eq!(layers.best(now), 0);
        let mut publisher = Publisher::new(1, 0, Codec::Vp8);
        let key = [0x10, 0x50, 0, 0, 0x9d, 0x01, 0x2a, 160, 0, 90, 0];
        layers.heard(now, &publisher.packet(true, &key).facts());
        assert_eq!(layers.best(now), 1);
        layers.set_max_height(90);
        assert_eq!(layers.best(now), 0);
    }
}
