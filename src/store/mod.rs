//! What lies on flash.
