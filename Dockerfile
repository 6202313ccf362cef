# syntax=docker/dockerfile:1
# pointsman as a container: docker build -t pointsman .
# Runs without root, from environment variables alone (config/sidecar.env), or with a file that is mounted and that
# POINTSMAN_CONFIG names.

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin pointsman && cp target/release/pointsman /pointsman

FROM debian:bookworm-slim
RUN useradd --system --uid 6033 --no-create-home --shell /usr/sbin/nologin pointsman
COPY --from=build /pointsman /usr/local/bin/pointsman
USER pointsman
# Inside a container loopback is nobody's: clients and probes come from outside.
ENV POINTSMAN_LISTEN=0.0.0.0:6033 POINTSMAN_HTTP_LISTEN=0.0.0.0:6070
# Clients; metrics and health.
EXPOSE 6033 6070
# Asks the running proxy whether it is ready: it serves, and the primary is up. The image has no curl, but bash has sockets.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/6070 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ code _ <&3 && [ \"$code\" = 200 ]"]
# SIGTERM drains: running statements and open transactions finish, up to proxy.drain_timeout (30 s).
STOPSIGNAL SIGTERM
ENTRYPOINT ["pointsman"]
CMD ["run"]
