//! The sketches of services' sources: of the open tables, and of summaries that are added to them.

use super::super::distinct::FINE_REGISTERS;
use super::super::kept::sketch_services;
use super::*;

/// In the place of a sketch's number: the service has sources that are not known, and never gets one.
const NO_SKETCH: u8 = u8::MAX;

/// The place of a service's sketch, if it has one.
pub(super) fn sketch_at(number: u8) -> Option<usize> {
    usize::from(number).checked_sub(1).filter(|_| number != NO_SKETCH)
}

impl Tables {
    pub(super) fn sketch_of(&self, row: &ServiceRow) -> Option<&Rc<Sketch>> {
        self.service_sketches.get(sketch_at(row.sketch)?).filter(|_| row.error == 0)
    }

    fn tried(&self) -> impl Iterator<Item = (Service, Address)> {
        self.pairs.rows().iter().map(|row| (Service::from_bits(row.service), row.address))
    }

    /// Small sketches of the sources of the heaviest rows.
    pub(super) fn sketch_services(&self, rows: &mut [KeptService], heaviest: usize) {
        sketch_services(rows, heaviest, self.pairs_whole().then_some(&mut self.tried()));
    }

    /// `whole`: so far all pairs were known; `their_pairs`: so are all that come with this summary.
    pub(super) fn add_kept_service(&mut self, kept: &KeptService, whole: bool, their_pairs: bool) {
        let bits = kept.service.to_bits();
        let slot = self.touch_service(kept.service, self.services.aim(&bits));
        let hours = kept.hours.as_ref().map(Hours::counts).unwrap_or_default();
        for (hour, n) in hours.into_iter().enumerate().filter(|(_, n)| *n > 0) {
            if !self.services.row_mut(slot).add_hour(hour, n) {
                self.add_wide_service_hour(slot, hour, n);
            }
        }
        let row = self.services.row_mut(slot);
        let is_new = row.count == 0;
        let known = is_new || whole && row.error == 0;
        raise(&mut row.count, stored_count(kept.attempts));
        raise(&mut row.error, stored_count(kept.error));
        let room = self.service_sketches.len() < self.bounds.sketches;
        let ours = sketch_at(row.sketch).and_then(|at| self.service_sketches.get_mut(at));
        match (ours, &kept.sketch) {
            // The pairs that follow tell more than a small sketch.
            (ours, Some(theirs)) if their_pairs && theirs.is_small() && (whole || ours.is_some()) => {}
            (Some(ours), Some(theirs)) => {
                let ours = Rc::make_mut(ours);
                if theirs.short_hashes().is_some() {
                    ours.store(REGISTERS, 0);
                }
                ours.join(theirs);
            }
            (None, Some(theirs)) if known && room => {
                let mut sketch = theirs.clone();
                if theirs.short_hashes().is_some() {
                    Rc::make_mut(&mut sketch).store(FINE_REGISTERS, 0);
                }
                if !is_new {
                    let ours = self.pairs.rows().iter().filter(|row| row.service == bits);
                    Rc::make_mut(&mut sketch).add_all(ours.map(|row| row.address));
                }
                self.service_sketches.push(sketch);
                row.sketch = self.service_sketches.len() as u8;
            }
            // Their pairs follow.
            _ if their_pairs => {}
            _ => row.sketch = NO_SKETCH,
        }
    }
}
