//! Counts an event in the tables: the work that is done for each refused packet.

use super::*;

impl Tables {
    /// Counts an event of this class that fell into the local hour `hour` (0..=23).
    #[inline]
    pub fn add(&mut self, event: &Event, hour: u8) {
        let hour = usize::from(hour.min(23));
        let n = event.count;
        self.count = self.count.saturating_add(u64::from(n));
        raise(&mut self.hours[hour], n);
        raise(&mut self.protocols[usize::from(event.protocol)], n);
        raise(&mut self.verdicts[event.verdict as usize], n);

        let service = event.service();
        let pair = (service, event.source);
        let service_entry = self.services.look_up(&service);
        let source_entry = self.sources.look_up(&event.source);
        let pair_entry = self.pairs.look_up(&pair);

        let service_slot = self.touch_service(service, service_entry);
        let source_slot = self.touch_source(event.source, source_entry);
        let touched = self.pairs.touch_at(pair, pair_entry);
        raise(&mut self.pairs.row_mut(touched.slot).count, n);
        let new_pair = u16::from(touched.new);

        if event.class.has_rules() && self.rules.add(event.path, n) && event.class == Class::Attempt {
            self.add_target((service, event.destination), n);
        }

        let row = self.services.row_mut(service_slot);
        raise(&mut row.count, n);
        row.unique = row.unique.saturating_add(new_pair);
        self.service_hours.add(&mut row.hours, hour, n);

        let row = self.sources.row_mut(source_slot);
        raise(&mut row.count, n);
        row.services = row.services.saturating_add(new_pair);
        let time = time_since(self.base, event.time);
        row.first = row.first.min(time);
        row.last = row.last.max(time);
        self.source_hours.add(&mut row.hours, hour, n);
        if touched.new {
            self.add_to_sample(pair);
        }
    }

    /// Few attempts are forwarded.
    #[cold]
    fn add_target(&mut self, target: Pair, n: u32) {
        let slot = self.targets.touch(target).slot;
        raise(&mut self.targets.row_mut(slot).count, n);
    }

    /// The row of a service, created if there is none.
    #[inline(always)]
    pub(super) fn touch_service(&mut self, service: Service, entry: Lookup) -> usize {
        let touched = self.services.touch_at(service, entry);
        if touched.evicted {
            self.services.take_evicted().iter().for_each(|row| self.service_hours.free(&row.hours));
        }
        touched.slot
    }

    /// The row of a source, created if there is none.
    #[inline(always)]
    pub(super) fn touch_source(&mut self, address: Address, entry: Lookup) -> usize {
        let touched = self.sources.touch_at(address, entry);
        if touched.evicted {
            self.sources.take_evicted().iter().for_each(|row| self.source_hours.free(&row.hours));
        }
        touched.slot
    }

    /// A pair came from a summary: its service and source have one source and one service more.
    pub(super) fn new_pair(&mut self, service_slot: usize, source_slot: usize, pair: Pair) {
        let source = self.sources.row_mut(source_slot);
        source.services = source.services.saturating_add(1);
        let service = self.services.row_mut(service_slot);
        service.unique = service.unique.saturating_add(1);
        self.add_to_sample(pair);
    }

    /// Adds a new pair to the sample, which is made before the first pair is evicted.
    #[inline(always)]
    fn add_to_sample(&mut self, (service, address): Pair) {
        match &mut self.sample {
            Some(sample) => sample.add(sample::hash(address, self.salt), address, service.to_bits()),
            None if self.pairs.is_full() => self.sample = Some(self.sample_of_pairs()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::protocol;

    /// Until the table of pairs is full, it is made of these; from then on each new pair is added.
    #[test]
    fn the_sample_is_that_of_all_pairs() {
        for (size, pairs) in [(16, 600), (200, 600), (200, 4000)] {
            let mut tables = Tables::new(Bounds { pairs, sample: size, ..Bounds::ATTEMPTS }, 7, Date(0));
            let mut expected = Sample::new(size);
            for number in 0..8000u32 {
                let random = number.wrapping_mul(2_654_435_761);
                let (source, port) = (Address::v4(random >> 24), (random >> 8) as u16 % 41);
                let event = Event { source, port, protocol: protocol::TCP, count: 1, ..Event::default() };
                tables.add(&event, 5);
                expected.add(sample::hash(source, 7), source, event.service().to_bits());
                if number % 97 == 0 {
                    assert_eq!(*tables.sample(), expected, "{size} of {pairs} after {number}");
                }
            }
            assert!(!tables.is_whole() && !expected.is_whole());
        }
    }
}
