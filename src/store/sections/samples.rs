//! Samples of sources: hashes, then what belongs to each source.
//!
//! Hashes ascend, so their differences are stored. Services that several sources tried are listed once; the others are
//! ports that a single source tried. The low bits of the differences and those ports are evenly distributed.

use std::cmp::Reverse;

use crate::event::{Address, Service};
use crate::stats::countries::Country;
use crate::stats::sample::Sample;
use crate::store::codec::{Codec, Content, MAX_ROWS, Reader};

use super::rows::{self, NO_SERVICE};

/// The number of a service that is not listed.
const SINGLE: u64 = 0;

/// The hash of a source after the one before.
fn hash(codec: &mut impl Codec, hash: &mut u32, before: u32) {
    let step = hash.saturating_sub(before);
    let (mut high, mut low) = (step >> 16, step as u16);
    codec.small(&mut high);
    codec.random16(&mut low);
    let step = u64::from(high) << 16 | u64::from(low);
    *hash = before.saturating_add(u32::try_from(step).unwrap_or(u32::MAX));
}

/// Writes bound and hashes of a sample (kind 10).
pub(super) fn write_hashes<T: Copy>(content: &mut Content, sample: &Sample<T>) {
    content.put(sample.bound());
    content.put(sample.sources().len() as u64);
    let mut before = 0;
    for (next, _) in sample.sources() {
        hash(content, &mut next.clone(), before);
        before = *next;
    }
}

/// Reads a sample; each source has the value `unknown`.
pub(super) fn read_hashes<T: Copy>(reader: &mut Reader<'_>, unknown: T) -> Option<Sample<T>> {
    let bound = reader.get();
    let mut sources = vec![(0, unknown); reader.count(0, 1)];
    let mut before = 0;
    for (next, _) in &mut sources {
        hash(reader, next, before);
        before = *next;
    }
    let sample = Sample::from_sources(bound, sources);
    if sample.is_none() {
        reader.fail();
    }
    sample
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

/// Writes the countries of a sample's sources (kind 19).
pub(super) fn write_countries(content: &mut Content, sample: &Sample<Country>) {
    let countries = sample.sources().iter().map(|(_, country)| *country);
    let listed = listed(countries.clone());
    content.put(listed.len() as u64);
    listed.iter().for_each(|(_, country)| rows::country(content, &mut country.clone()));
    let place = places(&listed);
    countries.filter_map(place).for_each(|place| content.put(place));
}

/// Reads the countries of a sample's sources.
pub(super) fn read_countries(reader: &mut Reader<'_>, sample: &mut Sample<Country>) {
    let mut listed = Vec::new();
    reader.rows(&mut listed, 2, Country::NONE, rows::country);
    sample.set_values(|_| match listed.get(usize::try_from(reader.get()).unwrap_or(usize::MAX)) {
        Some(country) => *country,
        None => {
            reader.fail();
            Country::NONE
        }
    });
}

/// A service that only one source tried.
fn single(codec: &mut impl Codec, service: &mut Service) {
    codec.u8(&mut service.protocol);
    codec.random16(&mut service.port);
}

/// Writes the services that a sample's sources tried (kind 20).
pub(super) fn write_services<T: Copy>(content: &mut Content, sample: &Sample<T>) {
    let mut left = sample.tried();
    for (hash, _) in sample.sources() {
        let (of_source, rest) = left.split_at(left.partition_point(|(known, _)| known <= hash));
        content.put(of_source.len() as u64);
        left = rest;
    }
    let services = sample.tried().iter().map(|(_, service)| *service);
    let mut listed = listed(services.clone());
    listed.truncate(listed.partition_point(|(count, _)| *count > 1));
    content.put(listed.len() as u64);
    listed.iter().for_each(|(_, bits)| rows::service(content, &mut Service::from_bits(*bits)));
    let place = places(&listed);
    services.clone().for_each(|service| content.put(place(service).map_or(SINGLE, |place| place + 1)));
    let singles = services.filter(|service| place(*service).is_none());
    singles.for_each(|bits| single(content, &mut Service::from_bits(bits)));
}

/// Reads the services that a sample's sources tried.
pub(super) fn read_services<T: Copy>(reader: &mut Reader<'_>, sample: &mut Sample<T>) {
    let counts: Vec<u64> = sample.sources().iter().map(|_| reader.get()).collect();
    let mut listed = Vec::new();
    reader.rows(&mut listed, 2, NO_SERVICE, rows::service);
    let total = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
    if total > 16 * MAX_ROWS as u64 || total > reader.left() as u64 {
        return reader.fail();
    }
    let places: Vec<u64> = (0..total).map(|_| reader.get()).collect();
    let mut places = places.into_iter();
    let mut tried = Vec::with_capacity(total as usize);
    for ((hash, _), count) in sample.sources().iter().zip(counts) {
        for place in places.by_ref().take(count as usize) {
            let mut service = NO_SERVICE;
            match listed.get(usize::try_from(place.wrapping_sub(1)).unwrap_or(usize::MAX)) {
                Some(known) => service = *known,
                None if place == SINGLE => single(reader, &mut service),
                None => return reader.fail(),
            }
            tried.push((*hash, service.to_bits()));
        }
    }
    if !sample.set_tried(tried) {
        reader.fail();
    }
}

/// A sample with the address of each source.
pub(super) fn write_with_addresses(content: &mut Content, sample: &Sample<Address>) {
    write_hashes(content, sample);
    sample.sources().iter().for_each(|(_, address)| rows::address(content, &mut address.clone()));
    write_services(content, sample);
}

/// Reads a sample with the address of each source (kind 11); `None`: damaged.
pub(super) fn read_with_addresses(reader: &mut Reader<'_>) -> Option<Sample<Address>> {
    let mut sample = read_hashes(reader, Address::v4(0))?;
    sample.set_values(|_| {
        let mut address = Address::v4(0);
        rows::address(reader, &mut address);
        address
    });
    read_services(reader, &mut sample);
    Some(sample)
}
