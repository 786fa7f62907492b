# The image of every homeroom process. With LOCK=worker, the default, it holds what a worker and the set-up need;
# with LOCK=runtime all extras too: console, notifier, evaluation, embedded store and broker.
FROM python:3.12-slim AS build
ARG LOCK=worker
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/homeroom
WORKDIR /build
# The libraries first: they change less often than the code, and are its largest part.
COPY requirements requirements
RUN /opt/homeroom/bin/pip install --require-hashes -r requirements/$LOCK.txt
COPY . .
RUN /opt/homeroom/bin/pip install --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home homeroom
COPY --from=build /opt/homeroom /opt/homeroom
ENV PATH=/opt/homeroom/bin:$PATH PYTHONUNBUFFERED=1
USER homeroom
WORKDIR /home/homeroom
EXPOSE 9464
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9464/metrics', timeout=4)"]
ENTRYPOINT ["homeroom"]
CMD ["worker"]
