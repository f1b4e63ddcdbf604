# docker build --tag maml-rl .
FROM python:3.12-slim AS build
# The history, whose tag is the version, is not copied: --build-arg VERSION=0.2.0 names it.
ARG VERSION=0.0.0
ENV SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION
WORKDIR /source
COPY . .
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
# pip reads it: another index for PyTorch, say that of its CPU wheels.
ARG PIP_EXTRA_INDEX_URL
COPY constraints.txt /
COPY --from=build /wheels /wheels
# Ray's default extra and wget are for KubeRay, which submits jobs and asks for a node's health.
RUN apt-get update && apt-get install --yes --no-install-recommends wget && rm -r /var/lib/apt/lists/*
RUN pip install --no-cache-dir --constraint /constraints.txt "$(echo /wheels/*.whl)[ray,video]" "ray[default]"
RUN useradd --uid 1000 --create-home maml && install --directory --owner maml /runs
USER maml
WORKDIR /runs
VOLUME /runs
# Without it Python keeps the progress lines back while nobody watches.
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["maml-rl"]
CMD ["--help"]
