//! The kernel's netfilter log text.
