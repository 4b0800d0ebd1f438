//! Sealing and opening against `rtc-srtp` as the reference: same bytes out, same packets in, over
//! sequence wraps, loss and reordering, with both profiles.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;

use motet::media::srtp::{
    MasterKey, Opener, Profile, Sealer, SrtpKeys, StreamState, rtp_header_len,
};
use proptest::prelude::*;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

const SSRC: u32 = 0xC0FF_EE00;
/// Both sides refuse what is further behind.
const WINDOW: u64 = 1024;

/// One side of a connection, twice: ours and the reference.
struct Ends {
    sealer: Sealer,
    opener: Opener,
    reference_sealer: Context,
    reference_opener: Context,
}

impl Ends {
    fn new(profile: Profile, material: &[u8]) -> Self {
        let keys =
            SrtpKeys::of_server(profile, &material[..profile.keying_material_len()]).unwrap();
        let theirs = SrtpKeys {
            profile,
            local: keys.remote.clone(),
            remote: keys.local.clone(),
        };
        Ends {
            sealer: Sealer::new(&keys).unwrap(),
            opener: Opener::new(&theirs).unwrap(),
            reference_sealer: reference(profile, &keys.local),
            reference_opener: reference(profile, &keys.local),
        }
    }
}

fn reference(profile: Profile, master: &MasterKey) -> Context {
    let provider = rtc_crypto::default_provider().unwrap();
    let reference_profile = match profile {
        Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::Aes128CmSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    Context::new(
        &master.key,
        &master.salt[..profile.salt_len()],
        reference_profile,
        Some(srtp_replay_protection(WINDOW as usize)),
        Some(srtcp_replay_protection(WINDOW as usize)),
        provider.crypto(),
    )
    .unwrap()
}

/// A packet with any number of contributing sources and one-byte extensions.
fn rtp(sequence: u16, sources: u8, extensions: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80 | sources, 0x80 | 96];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&[1, 2, 3, 4]);
    packet.extend_from_slice(&SSRC.to_be_bytes());
    for source in 0..sources {
        packet.extend_from_slice(&[9, 9, 9, source]);
    }
    if extensions > 0 {
        packet[0] |= 0x10;
        packet.extend_from_slice(&[0xBE, 0xDE, 0, extensions]);
        for id in 1..=extensions {
            packet.extend_from_slice(&[id << 4 | 2, 7, 7, 7]);
        }
    }
    packet.extend_from_slice(payload);
    packet
}

fn rtcp(ssrc: u32, words: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, words + 1];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend((0..words).flat_map(|word| [word; 4]));
    packet
}

fn profiles() -> impl Strategy<Value = Profile> {
    prop_oneof![Just(Profile::AeadAes128Gcm), Just(Profile::Aes128CmSha1_80)]
}

/// How far the next packet is from the highest one: mostly the next, sometimes after a loss, and
/// sometimes one that was overtaken.
fn steps() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![
        6 => Just(1i64),
        2 => 2i64..50,
        1 => 50i64..30_000,
        3 => -(WINDOW as i64 - 1)..0,
    ];
    prop::collection::vec(step, 1..120)
}

/// The 48-bit indices to send in order, each once.
fn indices(first: u16, steps: &[i64]) -> Vec<u64> {
    let mut highest = u64::from(first);
    let mut sent = BTreeSet::from([highest]);
    let mut indices = vec![highest];
    for step in steps {
        if let Some(index) = highest.checked_add_signed(*step)
            && sent.insert(index)
        {
            indices.push(index);
            highest = highest.max(index);
        }
    }
    indices
}

proptest! {
    #[test]
    fn rtp_is_sealed_to_the_same_bytes_and_opens_on_both_sides(
        profile in profiles(),
        material in prop::collection::vec(any::<u8>(), 60),
        first in any::<u16>(),
        steps in steps(),
        sources in 0u8..16,
        extensions in 0u8..6,
        payload in prop::collection::vec(any::<u8>(), 0..60),
        before in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut ends = Ends::new(profile, &material);
        let mut stream = StreamState::new(SSRC);
        for index in indices(first, &steps) {
            let packet = rtp(index as u16, sources, extensions, &payload);
            let header_len = rtp_header_len(&packet).unwrap();
            prop_assert_eq!(header_len + payload.len(), packet.len());

            let mut arena = before.clone();
            arena.extend_from_slice(&packet);
            ends.sealer.seal_rtp(&mut stream, &mut arena, before.len(), header_len).unwrap();
            let expected = ends.reference_sealer.encrypt_rtp(&packet).unwrap();
            prop_assert_eq!(&arena[..before.len()], &before[..]);
            let sealed = &arena[before.len()..];
            prop_assert_eq!(sealed, &expected[..], "index {}", index);

            let theirs = ends.reference_opener.decrypt_rtp(sealed).unwrap();
            prop_assert_eq!(&theirs[..], &packet[..]);
            let ours = ends.opener.open_rtp(sealed).unwrap();
            prop_assert_eq!(&ours[..], &packet[..]);
            prop_assert!(ends.opener.open_rtp(sealed).is_err());
        }
    }

    #[test]
    fn what_arrives_lossy_and_reordered_opens(
        profile in profiles(),
        first in any::<u16>(),
        steps in prop::collection::vec(1u64..250, 1..120),
        kept in prop::collection::vec(prop::bool::weighted(0.8), 120),
    ) {
        let mut ends = Ends::new(profile, &[7; 60]);
        let (mut index, mut sealed) = (u64::from(first), vec![]);
        for step in &steps {
            let packet = rtp(index as u16, 0, 0, b"payload");
            sealed.push((index, ends.reference_sealer.encrypt_rtp(&packet).unwrap()));
            index += step;
        }
        // Neighbours change places, but the first stays, so that the start is known.
        for at in (2..sealed.len()).step_by(3) {
            sealed.swap(at - 1, at);
        }
        let mut highest = 0;
        for ((index, packet), kept) in sealed.iter().zip(kept) {
            if kept || highest == 0 {
                let too_old = highest >= index + WINDOW;
                prop_assert_eq!(ends.opener.open_rtp(packet).is_ok(), !too_old);
                highest = highest.max(*index);
            }
        }
    }

    #[test]
    fn rtcp_is_sealed_to_the_same_bytes_and_opens_on_both_sides(
        profile in profiles(),
        material in prop::collection::vec(any::<u8>(), 60),
        words in prop::collection::vec(0u8..20, 1..40),
        swap in any::<prop::sample::Index>(),
    ) {
        let mut ends = Ends::new(profile, &material);
        let mut sealed = vec![];
        for words in words {
            let packet = rtcp(SSRC, words);
            let mut bytes = packet.clone();
            ends.sealer.seal_rtcp(&mut bytes, 0).unwrap();
            let expected = ends.reference_sealer.encrypt_rtcp(&packet).unwrap();
            prop_assert_eq!(&bytes[..], &expected[..]);
            sealed.push((packet, bytes));
        }
        let at = swap.index(sealed.len());
        sealed.swap(0, at);
        for (packet, bytes) in sealed {
            let theirs = ends.reference_opener.decrypt_rtcp(&bytes).unwrap();
            prop_assert_eq!(&theirs[..], &packet[..]);
            let ours = ends.opener.open_rtcp(&bytes).unwrap();
            prop_assert_eq!(&ours[..], &packet[..]);
            prop_assert!(ends.opener.open_rtcp(&bytes).is_err());
        }
    }

    #[test]
    fn reports_of_several_senders_share_the_index(
        profile in profiles(),
        senders in prop::collection::vec(0u32..4, 1..40),
    ) {
        let mut ends = Ends::new(profile, &[7; 60]);
        for sender in senders {
            let packet = rtcp(sender, 3);
            let mut bytes = packet.clone();
            ends.sealer.seal_rtcp(&mut bytes, 0).unwrap();
            let theirs = ends.reference_opener.decrypt_rtcp(&bytes).unwrap();
            prop_assert_eq!(&theirs[..], &packet[..]);
        }
    }

    #[test]
    fn any_bytes_are_survived(
        profile in profiles(),
        bytes in prop::collection::vec(any::<u8>(), 0..120),
        version in any::<bool>(),
    ) {
        let mut ends = Ends::new(profile, &[7; 60]);
        let mut bytes = bytes;
        if let (true, Some(first)) = (version, bytes.first_mut()) {
            *first = *first & 0x3F | 0x80;
        }
        prop_assert!(ends.opener.open_rtp(&bytes).is_err());
        prop_assert!(ends.opener.open_rtcp(&bytes).is_err());
        prop_assert!(ends.sealer.seal_rtp(&mut StreamState::new(1), &mut bytes, 200, 12).is_err());
    }
}
