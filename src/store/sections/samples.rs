//! Samples of sources: hashes, then what belongs to each source.
//!
//! Hashes ascend, so their differences are stored. What sources tried are mostly a few services, which are listed once,
//! and ports that a single source tried. The low bits of the differences and those ports are evenly distributed.

use std::cmp::Reverse;

use crate::event::{Address, Service};
use crate::stats::countries::Country;
use crate::stats::sample::Sample;
use crate::store::codec::{Reader, Writer};

use super::MAX_ROWS;
use super::rows::{
    items, read_address, read_country, read_service, write_address, write_country, write_service,
};

/// The place of a service that is not listed.
const SINGLE: u64 = 0;

pub(super) fn write_hashes<T: Copy>(writer: &mut Writer, sample: &Sample<T>) {
    writer.number(sample.bound());
    writer.number(sample.sources().len() as u64);
    let mut before = 0;
    for (hash, _) in sample.sources() {
        let step = hash - before;
        writer.number(u64::from(step >> 16));
        writer.random16(step as u16);
        before = *hash;
    }
}

/// A sample of sources of which nothing else is known yet.
pub(super) fn read_hashes<T: Copy>(reader: &mut Reader<'_>, unknown: T) -> Option<Sample<T>> {
    let bound = reader.number();
    let mut hash = 0u32;
    let sources = (0..items(reader, 1)).map(|_| {
        let step = u64::from(reader.small()) << 16 | u64::from(reader.random16());
        hash = hash.saturating_add(u32::try_from(step).unwrap_or(u32::MAX));
        (hash, unknown)
    });
    let sources: Vec<(u32, T)> = sources.collect();
    let sample = Sample::from_sources(bound, sources);
    if sample.is_none() {
        reader.fail();
    }
    sample
}

/// The different ones of these, most frequent first, and each time where it is listed.
fn listed<K: Ord + Copy>(all: impl Iterator<Item = K>) -> Vec<(usize, K)> {
    let mut sorted: Vec<K> = all.collect();
    sorted.sort_unstable();
    let mut counted: Vec<(usize, K)> =
        sorted.chunk_by(|a, b| a == b).map(|same| (same.len(), same[0])).collect();
    counted.sort_unstable_by_key(|(count, key)| (Reverse(*count), *key));
    counted
}

/// Where each key is listed.
fn places<K: Ord + Copy>(listed: &[(usize, K)]) -> impl Fn(K) -> Option<u64> {
    let mut places: Vec<(K, u64)> = listed.iter().map(|(_, key)| *key).zip(0..).collect();
    places.sort_unstable();
    move |key| {
        let at = places.binary_search_by_key(&key, |(known, _)| *known).ok()?;
        Some(places[at].1)
    }
}

pub(super) fn write_countries(writer: &mut Writer, sample: &Sample<Country>) {
    let countries = sample.sources().iter().map(|(_, country)| *country);
    let listed = listed(countries.clone());
    writer.number(listed.len() as u64);
    listed.iter().for_each(|(_, country)| write_country(writer, *country));
    let place = places(&listed);
    countries.filter_map(place).for_each(|place| writer.number(place));
}

pub(super) fn read_countries(reader: &mut Reader<'_>, sample: &mut Sample<Country>) {
    let listed: Vec<Country> = (0..items(reader, 2)).map(|_| read_country(reader)).collect();
    sample.set_values(|_| match listed.get(reader.small() as usize) {
        Some(country) => *country,
        None => {
            reader.fail();
            Country::NONE
        }
    });
}

pub(super) fn write_services<T: Copy>(writer: &mut Writer, sample: &Sample<T>) {
    let mut left = sample.tried();
    for (hash, _) in sample.sources() {
        let (of_source, rest) = left.split_at(left.partition_point(|(known, _)| known <= hash));
        writer.number(of_source.len() as u64);
        left = rest;
    }
    let services = sample.tried().iter().map(|(_, service)| *service);
    let mut listed = listed(services.clone());
    listed.truncate(listed.partition_point(|(count, _)| *count > 1));
    writer.number(listed.len() as u64);
    listed.iter().for_each(|(_, service)| write_service(writer, Service::from_bits(*service)));
    let place = places(&listed);
    services.clone().for_each(|service| writer.number(place(service).map_or(SINGLE, |place| place + 1)));
    for service in services.filter(|service| place(*service).is_none()).map(Service::from_bits) {
        writer.u8(service.protocol);
        writer.random16(service.port);
    }
}

pub(super) fn read_services<T: Copy>(reader: &mut Reader<'_>, sample: &mut Sample<T>) {
    let counts: Vec<u64> = sample.sources().iter().map(|_| reader.number()).collect();
    let listed: Vec<u32> = (0..items(reader, 2)).map(|_| read_service(reader).to_bits()).collect();
    let total = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
    if total > 16 * MAX_ROWS as u64 || total > reader.left() as u64 {
        return reader.fail();
    }
    let places: Vec<u64> = (0..total).map(|_| reader.number()).collect();
    let mut places = places.into_iter();
    let mut tried = Vec::with_capacity(total as usize);
    for ((hash, _), count) in sample.sources().iter().zip(counts) {
        for place in places.by_ref().take(count as usize) {
            let service = match place {
                SINGLE => Service { protocol: reader.u8(), port: reader.random16() }.to_bits(),
                place => match listed.get(usize::try_from(place - 1).unwrap_or(usize::MAX)) {
                    Some(service) => *service,
                    None => return reader.fail(),
                },
            };
            tried.push((*hash, service));
        }
    }
    if !sample.set_tried(tried) {
        reader.fail();
    }
}

/// A sample with the address of each source.
pub(super) fn write_with_addresses(writer: &mut Writer, sample: &Sample<Address>) {
    write_hashes(writer, sample);
    sample.sources().iter().for_each(|(_, address)| write_address(writer, *address));
    write_services(writer, sample);
}

pub(super) fn read_with_addresses(reader: &mut Reader<'_>) -> Option<Sample<Address>> {
    let mut sample = read_hashes(reader, Address::v4(0))?;
    sample.set_values(|_| read_address(reader));
    read_services(reader, &mut sample);
    Some(sample)
}
