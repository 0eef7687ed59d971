//! The schemas are read into the program when it is built, and Cargo does not see that by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
