# The recorder in a small image, run by a user without privileges.
#
#   docker build --tag livetape .
#   docker run --publish 1935:1935 --volume livetape:/data livetape
#
# The HTTP side listens on the container's own loopback until it is given an address and a token
# (docker-compose.yml shows how).

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package livetape-server && \
    install --strip target/release/livetape /usr/local/bin/livetape

FROM debian:bookworm-slim
# For webhooks and object stores over HTTPS.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin livetape \
    && install --directory --owner livetape --group livetape /data
COPY --from=build /usr/local/bin/livetape /usr/local/bin/livetape
USER livetape
WORKDIR /data
VOLUME /data
ENV LIVETAPE__NODE__DATA=/data LIVETAPE__LOG__FORMAT=json
# The C library's memory: one heap for all threads, which keeps what is freed (docs/performance.md).
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=67108864 MALLOC_MMAP_THRESHOLD_=4194304
EXPOSE 1935 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["livetape", "healthcheck"]
# SIGTERM finishes and announces the recordings; give it `docker stop --time 60`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["livetape"]
CMD ["serve"]
