# The job, without DuckDB: small, quick to start, nothing to install beside it.

FROM rust:1.95-bookworm AS build
WORKDIR /build

# The dependencies are a layer of their own, built from the manifests and empty sources, so that a
# change in the code does not build them again. Cargo wants a file for each target that Cargo.toml names.
COPY Cargo.toml Cargo.lock build.rs ./
COPY core/Cargo.toml core/
COPY emulator/Cargo.toml emulator/build.rs emulator/
COPY generator/Cargo.toml generator/
RUN mkdir -p src core/src emulator/src generator/src examples tests/suite \
    && echo 'fn main() {}' | tee src/main.rs emulator/src/main.rs >examples/bill-by-service.rs \
    && touch src/lib.rs core/src/lib.rs emulator/src/lib.rs generator/src/lib.rs tests/suite/main.rs \
    && cargo build --locked --release --package finops --bin finops --no-default-features

COPY . .
# Cargo goes by modification times, and COPY keeps those of the sources, which are older.
RUN find src core -name '*.rs' -exec touch {} + \
    && cargo build --locked --release --package finops --bin finops --no-default-features

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/target/release/finops /usr/local/bin/finops
ENTRYPOINT ["/usr/local/bin/finops"]
CMD ["run"]
