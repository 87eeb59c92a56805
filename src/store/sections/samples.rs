//! Samples of sources: hashes, then what belongs to each source.
//!
//! Hashes ascend, so their differences are stored. Services that several sources tried are listed once; the others are
//! ports that a single source tried. The low bits of the differences and those ports are evenly distributed.

use std::cmp::Reverse;

use crate::event::{Address, Service};
use crate::stats::countries::Country;
use crate::stats::sample::Sample;
use crate::store::codec::{Codec, MAX_ROWS};

use super::rows;

/// The number of a service that is not listed.
const SINGLE: u64 = 0;

/// The hash of a source after the one before.
fn hash(codec: &mut Codec<'_>, hash: &mut u32, before: u32) {
    let step = hash.saturating_sub(before);
    let (mut high, mut low) = (step >> 16, step as u16);
    codec.small(&mut high);
    codec.random16(&mut low);
    let step = u64::from(high) << 16 | u64::from(low);
    *hash = before.saturating_add(u32::try_from(step).unwrap_or(u32::MAX));
}

/// Bound and hashes of a sample (kind 10). A sample that cannot be read is removed.
pub(super) fn hashes<T: Copy + Default>(codec: &mut Codec<'_>, sample: &mut Option<Sample<T>>) {
    let mut known = sample.take().unwrap_or_else(|| Sample::new(usize::MAX));
    let (mut bound, mut sources) = (known.bound(), known.sources().to_vec());
    codec.number(&mut bound);
    let count = codec.count(sources.len(), 1);
    sources.resize(count, Default::default());
    let mut before = 0;
    for (next, _) in &mut sources {
        hash(codec, next, before);
        before = *next;
    }
    match known.set_sources(bound, sources) {
        true => *sample = Some(known),
        false => codec.fail(),
    }
}

/// The distinct keys, most frequent first, and how often each occurs.
fn listed<K: Ord + Copy>(all: impl Iterator<Item = K>) -> Vec<(usize, K)> {
    let mut sorted: Vec<K> = all.collect();
    sorted.sort_unstable();
    let mut counted: Vec<(usize, K)> =
        sorted.chunk_by(|a, b| a == b).map(|same| (same.len(), same[0])).collect();
    counted.sort_unstable_by_key(|(count, key)| (Reverse(*count), *key));
    counted
}

/// Finds the index of a key in the list, from 1.
fn places<K: Ord + Copy>(listed: &[(usize, K)]) -> impl Fn(K) -> Option<u64> {
    let mut places: Vec<(K, u64)> = listed.iter().map(|(_, key)| *key).zip(0..).collect();
    places.sort_unstable();
    move |key| {
        let at = places.binary_search_by_key(&key, |(known, _)| *known).ok()?;
        Some(places[at].1)
    }
}

/// The countries of a sample's sources (kind 19).
pub(super) fn countries(codec: &mut Codec<'_>, sample: &mut Sample<Country>) {
    let counted = listed(sample.sources().iter().map(|(_, country)| *country));
    let place_of = places(&counted);
    let mut listed = counted.iter().map(|(_, country)| *country).collect();
    codec.rows(&mut listed, Country::NONE, rows::country);
    sample.change_values(|country| {
        let mut place = place_of(*country).unwrap_or(0);
        codec.number(&mut place);
        match listed.get(usize::try_from(place).unwrap_or(usize::MAX)) {
            Some(known) => *country = *known,
            None => codec.fail(),
        }
    });
}

/// A service that only one source tried.
fn single(codec: &mut Codec<'_>, service: &mut Service) {
    codec.u8(&mut service.protocol);
    codec.random16(&mut service.port);
}

/// The services that a sample's sources tried (kind 20).
pub(super) fn services<T: Copy>(codec: &mut Codec<'_>, sample: &mut Sample<T>) {
    let mut tried = sample.tried().to_vec();
    let mut left = &tried[..];
    let mut counts: Vec<u64> = Vec::new();
    for (hash, _) in sample.sources() {
        let (of_source, rest) = left.split_at(left.partition_point(|(known, _)| known <= hash));
        counts.push(of_source.len() as u64);
        left = rest;
    }
    counts.iter_mut().for_each(|count| codec.number(count));
    let mut counted = listed(tried.iter().map(|(_, service)| *service));
    counted.truncate(counted.partition_point(|(count, _)| *count > 1));
    let place_of = places(&counted);
    let mut listed = counted.iter().map(|(_, bits)| Service::from_bits(*bits)).collect();
    codec.rows(&mut listed, Service::default(), rows::service);
    let total = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
    if !codec.writes() && total > codec.left().min(16 * MAX_ROWS) as u64 {
        return codec.fail();
    }
    tried.resize(total as usize, (0, 0));
    let mut places: Vec<u64> =
        tried.iter().map(|(_, service)| place_of(*service).map_or(SINGLE, |place| place + 1)).collect();
    places.iter_mut().for_each(|place| codec.number(place));
    let sources = sample.sources().iter().zip(counts);
    let hashes = sources.flat_map(|((hash, _), count)| std::iter::repeat_n(*hash, count as usize));
    for (((known, bits), hash), place) in tried.iter_mut().zip(hashes).zip(places) {
        let mut service = Service::from_bits(*bits);
        match listed.get(usize::try_from(place.wrapping_sub(1)).unwrap_or(usize::MAX)) {
            Some(known) => service = *known,
            None if place == SINGLE => single(codec, &mut service),
            None => return codec.fail(),
        }
        (*known, *bits) = (hash, service.to_bits());
    }
    codec.failed |= !sample.set_tried(tried);
}

/// A sample with the address of each source, and the services that it tried (kind 11).
pub(super) fn with_addresses(codec: &mut Codec<'_>, sample: &mut Option<Sample<Address>>) {
    hashes(codec, sample);
    if let Some(sample) = sample {
        sample.change_values(|address| rows::address(codec, address));
        services(codec, sample);
    }
}
