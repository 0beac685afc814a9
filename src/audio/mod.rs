//! Sound devices: a sound card, a clocked null device, a tone, a WAV file; rings between them and the media thread.
