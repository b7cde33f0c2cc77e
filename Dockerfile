# The job, without DuckDB: small, quick to start, nothing to install beside it.
#
#     docker build --build-arg VERSION=0.1.0 --build-arg REVISION=1a2b3c4 .
#     docker build --build-arg FEATURES=duckdb .    # with DuckDB and its library, 70 MB more
#
# Layers alone keep the dependencies, no cache mounts: docker without BuildKit has none.

# The images that it begins from. Docker Hub refuses anonymous pulls beyond ten an hour and address, which many builds of a
# cloud share, so that the compiler comes from Google's copy of it. By tag, so that it gets its security updates; for builds
# that are the same each time, name digests:
#
#     docker build --build-arg RUST=docker.io/library/rust@sha256:... --build-arg RUNTIME=gcr.io/distroless/cc-debian12@sha256:... .
ARG RUST=mirror.gcr.io/library/rust:1.95-bookworm
ARG RUNTIME=gcr.io/distroless/cc-debian12:nonroot

FROM $RUST AS build
WORKDIR /build

# Cargo's features, with commas between them.
ARG FEATURES=""
ENV DUCKDB_LIB_DIR=/build/bin
COPY scripts/duckdb-lib.sh scripts/
RUN mkdir bin \
    && case ",$FEATURES," in *,duckdb,*) \
        apt-get update \
        && apt-get install --yes --no-install-recommends npm python3 \
        && scripts/duckdb-lib.sh \
        && cp .cache/duckdb/libduckdb.so bin/ ;; \
    esac

# The dependencies are a layer of their own, built from the manifests and empty sources, so that a
# change in the code does not build them again. Cargo wants a file for each target that Cargo.toml names.
COPY Cargo.toml Cargo.lock build.rs ./
COPY core/Cargo.toml core/
COPY emulator/Cargo.toml emulator/build.rs emulator/
COPY generator/Cargo.toml generator/
RUN mkdir -p src core/src emulator/src generator/src examples benches tests/suite \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs core/src/lib.rs emulator/src/lib.rs generator/src/lib.rs \
        examples/bill-by-service.rs benches/duckdb_sql.rs tests/suite/main.rs \
    && cargo build --locked --release --package finops --bin finops --no-default-features --features "$FEATURES"

COPY core/src core/src
COPY src src
# `finops --version` tells it. From here on, so that another revision leaves the layers above as they are.
ARG REVISION=""
# Cargo goes by modification times, and COPY keeps those of the sources, which are older.
RUN find src core -name '*.rs' -exec touch {} + \
    && FINOPS_REVISION="$REVISION" \
        cargo build --locked --release --package finops --bin finops --no-default-features --features "$FEATURES" \
    && cp target/release/finops bin/

FROM $RUNTIME
COPY --from=build /build/bin/ /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/finops"]
CMD ["run"]
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="finops" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION"
