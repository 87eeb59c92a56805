//! Caches the part of a line up to the source (log prefix, interfaces, MAC addresses), which repeats from line to line.
//!
//! Takes a line, gives the known path and where the source's address begins. Bounded.

use super::*;

impl LineReader {
    /// The info of the known context that stands at `at`, and where it ends: where the source's address begins. No line
    /// ends within a context.
    #[inline(always)]
    pub(super) fn known_context(&mut self, text: Window, at: usize) -> Option<(PathInfo, usize)> {
        if let Some(known) = self.contexts.first()
            && let Some(end) = known.text.end_at(text, at)
        {
            return Some((known.info, end));
        }
        self.other_context(text, at)
    }

    #[inline(never)]
    fn other_context(&mut self, text: Window, at: usize) -> Option<(PathInfo, usize)> {
        let mut known = self.contexts.iter().enumerate();
        let (index, end) = known.find_map(|(index, known)| Some((index, known.text.end_at(text, at)?)))?;
        self.contexts.swap(0, index);
        Some((self.contexts[0].info, end))
    }

    /// The info of a context that is not known, which it is from now on. It may be the first to name `br-lan`.
    pub(super) fn info(
        &mut self,
        message: &[u8],
        context: &netfilter::Context,
        paths: &mut Paths,
    ) -> PathInfo {
        if !self.lan_bridge && [context.input, context.output].contains(&Some(b"br-lan")) {
            self.set_lan_bridge();
        }
        let info = PathInfo::new(context, Origin::Log, &self.networks, self.lan_bridge, paths);
        let is_plain = (context.input.is_some() || context.output.is_some()) && !context.other_protocol;
        if let Some(source_at) = context.source_at.filter(|&length| is_plain && length <= LONGEST_CONTEXT) {
            self.contexts.truncate(CONTEXTS - 1);
            self.contexts.push(KnownContext { text: Prefix::new(&message[..source_at]), info });
        }
        info
    }
}
