//! Arguments to exit code, nothing else.

// The C library's `floor`, `round` and `fmaf` are an instruction or two, picked for the processor as the program starts. The
// compiler's own library has slower ones of the same names, which Opus and `sonora` get unless this one comes before it.
#[cfg(target_os = "linux")]
#[link(name = "m")]
unsafe extern "C" {}

fn main() -> std::process::ExitCode {
    offhook::cli::main()
}
