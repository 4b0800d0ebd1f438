//! Which simulcast layer a leg should carry: what its viewer needs, of what flows.

use std::time::{Duration, Instant};

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
}

impl Layers {
    /// Layers, lowest first: at least one, at most [`MAX_LAYERS`] (the rest is ignored).
    pub fn new(infos: &[LayerInfo]) -> Self {
        let mut layers = Self {
            infos: [LayerInfo::default(); MAX_LAYERS],
            newest: [None; MAX_LAYERS],
            count: infos.len().clamp(1, MAX_LAYERS),
        };
        for (own, info) in layers.infos.iter_mut().zip(infos) {
            *own = *info;
        }
        layers
    }

    /// A packet of a layer came, a key frame of this height perhaps. Says whether it is the newest
    /// of the layer; `None` if the track has no such layer.
    pub fn heard(
        &mut self,
        now: Instant,
        layer: u8,
        sequence: u64,
        height: Option<u16>,
    ) -> Option<bool> {
        let index = usize::from(layer);
        if index >= self.count {
            return None;
        }
        let info = &mut self.infos[index];
        info.last_packet = Some(now);
        info.height = height.or(info.height);
        let newest = self.newest[index].is_none_or(|newest| sequence > newest);
        if newest {
            self.newest[index] = Some(sequence);
        }
        Some(newest)
    }

    /// Whether packets of the layer come.
    pub fn flows(&self, now: Instant, layer: u8) -> bool {
        let info = self.infos[..self.count].get(usize::from(layer));
        info.and_then(|info| info.last_packet)
            .is_some_and(|last| now.saturating_duration_since(last) < FLOW_TIMEOUT)
    }

    /// The layer for a viewer that shows `max_height` pixels: the smallest that is large enough, or
    /// what flows below it, or what flows above it. `None` if nothing flows.
    pub fn best(&self, now: Instant, max_height: u16) -> Option<u8> {
        let layers = 0..self.count as u8;
        let fitting = layers
            .clone()
            .find(|&layer| is_enough(self.height(layer), max_height))
            .unwrap_or(layers.end - 1);
        (0..=fitting)
            .rev()
            .chain(fitting + 1..layers.end)
            .find(|&layer| self.flows(now, layer))
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

    fn layers(heights: &[Option<u16>], flowing: &[bool], now: Instant) -> Layers {
        let infos: Vec<_> = heights
            .iter()
            .zip(flowing)
            .map(|(&height, &flows)| LayerInfo {
                height,
                last_packet: flows.then_some(now),
            })
            .collect();
        Layers::new(&infos)
    }

    /// Known heights, which of them flow, the height shown; the layer.
    type Case<'a> = (&'a [Option<u16>], &'a [bool], u16, Option<u8>);

    #[test]
    fn the_smallest_that_is_large_enough_of_what_flows() {
        let now = Instant::now();
        let known = [Some(180), Some(360), Some(720)];
        let top_only = [None, None, Some(1080)];
        let unknown = [None, None, None];
        let all = [true; 3];
        let cases: &[Case<'_>] = &[
            (&known, &all, 90, Some(0)),
            (&known, &all, 180, Some(0)),
            (&known, &all, 200, Some(0)),
            (&known, &all, 240, Some(1)),
            (&known, &all, 720, Some(2)),
            (&known, &all, 2160, Some(2)),
            (&known, &[true, true, false], 720, Some(1)),
            (&known, &[true, false, false], 720, Some(0)),
            (&known, &[false, false, true], 180, Some(2)),
            (&known, &[false, true, true], 180, Some(1)),
            (&known, &[false; 3], 180, None),
            (&top_only, &all, 270, Some(0)),
            (&top_only, &all, 540, Some(1)),
            (&top_only, &all, 720, Some(2)),
            (&[Some(180), None, None], &all, 720, Some(2)),
            (&unknown, &all, 180, Some(0)),
            (&unknown, &all, 360, Some(1)),
            (&unknown, &all, 720, Some(2)),
            (&[None], &[true], 1080, Some(0)),
            (&[None, None], &[true, true], 360, Some(0)),
        ];
        for &(heights, flowing, shown, expected) in cases {
            let found = layers(heights, flowing, now).best(now, shown);
            assert_eq!(found, expected, "{heights:?} {flowing:?} shown at {shown}");
        }
    }

    #[test]
    fn a_layer_stops_flowing_after_a_second_and_flows_again_at_once() {
        let start = Instant::now();
        let mut layers = layers(&[None, None], &[true, true], start);
        let later = start + FLOW_TIMEOUT;
        assert_eq!(layers.heard(later, 0, 1, None), Some(true));
        assert_eq!(layers.best(later, 720), Some(0));
        assert_eq!(layers.heard(later, 1, 1, None), Some(true));
        assert_eq!(layers.best(later, 720), Some(1));
    }

    #[test]
    fn key_frames_teach_heights_and_late_packets_are_known() {
        let now = Instant::now();
        let mut layers = layers(&[None, None], &[true, true], now);
        assert_eq!(layers.best(now, 180), Some(0));
        assert_eq!(layers.heard(now, 0, 5, Some(90)), Some(true));
        assert_eq!(layers.best(now, 180), Some(1));
        assert_eq!(layers.heard(now, 0, 4, None), Some(false));
        assert_eq!(layers.heard(now, 2, 1, None), None);
    }
}
