# Two stages: the first compiles, the second holds what runs.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY LICENSE ./
COPY scripts scripts
COPY src src
RUN npm run build

FROM node:22-bookworm-slim
COPY scripts/lib/wheels/uv.txt /tmp/uv.txt
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl git python3 python3-pip python3-venv tini \
 && pip install --break-system-packages --no-cache-dir --require-hashes -r /tmp/uv.txt \
 && rm -rf /var/lib/apt/lists/* /tmp/uv.txt \
 && useradd --create-home --uid 10001 host \
 && install -d -o host -g host /data
WORKDIR /app
COPY --from=build /app/dist dist
COPY package.json ./
COPY hooks hooks
COPY python python
COPY templates templates
COPY public public
COPY examples examples
COPY scripts scripts
RUN ln -s /app/scripts/streamlit-host.js /usr/local/bin/streamlit-host
USER host
ENV STREAMLIT_HOST_BIND=0.0.0.0 STREAMLIT_HOST_PORT=8080 STREAMLIT_HOST_DATA=/data STREAMLIT_HOST_CONFIG=/data/config.json STREAMLIT_HOST_APPS=/data/folders STREAMLIT_HOST_LOGS=/data/logs NODE_ENV=production
VOLUME /data
# 8081 is the apps' own port, where the public base is http.
EXPOSE 8080 8081
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["curl", "-fsS", "http://127.0.0.1:8080/healthz"]
# An init as PID 1: processes outlive the server inside the container, and somebody has to reap them.
ENTRYPOINT ["tini", "--"]
CMD ["node", "--input-type=module", "-e", "const { main } = await import('/app/dist/main.js'); await main();"]
