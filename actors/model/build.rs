//! Tells the program where its libraries are: `/backends` in the cage, `backends` beside it on a developer's machine.
//! Also hands the build's own backend directory to tests and benches.

fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,/backends,-rpath,$ORIGIN/backends");
    if let Ok(backends) = std::env::var("DEP_LLAMA_BACKENDS_DIR") {
        println!("cargo:rustc-env=CHELA_BUILT_BACKENDS={backends}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
