//! An event into the tables: what is done for each refused packet.

use super::joined::sketch_at;
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
        let pair = Pair::new(service, event.source);
        let service_aim = self.services.aim(&service.to_bits());
        let source_aim = self.sources.aim(&event.source);
        let pair_aim = self.pairs.aim(&pair);

        let service_slot = self.touch_service(service, service_aim);
        let source_slot = self.touch_source(event.source, source_aim);
        let touched = self.pairs.touch_aimed(pair, pair_aim);
        raise(&mut self.pairs.row_mut(touched.slot).count, n);
        let new_pair = u16::from(touched.new);

        let row = self.services.row_mut(service_slot);
        raise(&mut row.count, n);
        row.unique = row.unique.saturating_add(new_pair);
        let for_sketch = touched.new && row.wants_sketch();
        if !row.add_hour(hour, n) {
            self.add_wide_service_hour(service_slot, hour, n);
        }

        let row = self.sources.row_mut(source_slot);
        raise(&mut row.count, n);
        row.services = row.services.saturating_add(new_pair);
        let time = stored_time(event.time);
        row.first = row.first.min(time);
        row.last = row.last.max(time);
        if !row.add_hour(hour, n) {
            self.add_wide_hour(source_slot, hour, n);
        }
        if for_sketch {
            self.add_to_sketch(service_slot, pair);
        }
    }

    #[inline(always)]
    pub(super) fn touch_service(&mut self, service: Service, aim: Aim) -> usize {
        let touched = self.services.touch_aimed(service.to_bits(), aim);
        if touched.evicted
            && let Some(row) = self.services.take_evicted()
            && row.wide > 0
        {
            self.free_service_hours(&row);
        }
        touched.slot
    }

    #[cold]
    fn free_service_hours(&mut self, evicted: &ServiceRow) {
        let last = self.service_hours.free(evicted.wide.into());
        let moved = self.services.rows().iter().position(|row| usize::from(row.wide) == last);
        if let Some(slot) = moved {
            self.services.row_mut(slot).wide = evicted.wide;
        }
    }

    #[inline(always)]
    pub(super) fn touch_source(&mut self, address: Address, aim: Aim) -> usize {
        let touched = self.sources.touch_aimed(address, aim);
        if touched.evicted
            && let Some(row) = self.sources.take_evicted()
        {
            self.source_evicted(&row);
        }
        // The sketch is only needed once rows are lost: until then the table is the set.
        if touched.new && !self.sources_whole() {
            self.unique.add(address);
        }
        touched.slot
    }

    #[inline]
    pub(super) fn sources_whole(&self) -> bool {
        self.sources.evictions() == 0 && self.missing.sources == 0
    }

    fn source_evicted(&mut self, evicted: &SourceRow) {
        if self.sources.evictions() == 1 {
            self.unique.add(evicted.address);
            self.unique.add_all(self.sources.rows().iter().map(|row| row.address));
        }
        if evicted.wide > 0 {
            let last = self.source_hours.free(evicted.wide.into());
            let moved = self.sources.rows().iter().position(|row| usize::from(row.wide) == last);
            if let Some(slot) = moved {
                self.sources.row_mut(slot).wide = evicted.wide;
            }
        }
    }

    #[cold]
    pub(super) fn add_wide_hour(&mut self, slot: usize, hour: usize, n: u32) {
        let row = self.sources.row_mut(slot);
        if row.wide == 0 {
            match self.source_hours.begin(row.hours.map(u32::from)) {
                Some(number) => row.wide = number as u16,
                None => return row.hours[hour] = u8::MAX,
            }
        }
        self.source_hours.add(row.wide.into(), hour, n);
    }

    #[cold]
    pub(super) fn add_wide_service_hour(&mut self, slot: usize, hour: usize, n: u32) {
        let row = self.services.row_mut(slot);
        if row.wide == 0 {
            match self.service_hours.begin(row.hours.map(u32::from)) {
                Some(number) => row.wide = number as u8,
                None => return row.hours[hour] = u16::MAX,
            }
        }
        self.service_hours.add(row.wide.into(), hour, n);
    }

    pub(super) fn new_pair(&mut self, service_slot: usize, source_slot: usize, pair: Pair) {
        let source = self.sources.row_mut(source_slot);
        source.services = source.services.saturating_add(1);
        let service = self.services.row_mut(service_slot);
        service.unique = service.unique.saturating_add(1);
        if service.wants_sketch() {
            self.add_to_sketch(service_slot, pair);
        }
    }

    /// Adds the source of a new pair to the sketch of its service, which gets one if it can.
    #[cold]
    fn add_to_sketch(&mut self, service_slot: usize, pair: Pair) {
        let whole = self.pairs_whole();
        let service = self.services.row_mut(service_slot);
        if let Some(sketch) = sketch_at(service.sketch).and_then(|at| self.service_sketches.get_mut(at)) {
            Rc::make_mut(sketch).add(pair.address);
        } else if service.sketch == 0
            && whole
            && service.error == 0
            && self.service_sketches.len() < self.bounds.sketches
        {
            let mut sketch = Sketch::new();
            let rows = self.pairs.rows().iter().filter(|row| row.service == pair.service);
            sketch.add_all(rows.map(|row| row.address));
            self.service_sketches.push(Rc::new(sketch));
            service.sketch = self.service_sketches.len() as u8;
        }
    }
}
