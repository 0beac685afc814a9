//! The embedded exchange: registrar, proxy and extensions.
