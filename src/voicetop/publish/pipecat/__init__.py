"""The adapter for Pipecat (pipecat-ai 1.14): one observer for each call, two lines.

    from voicetop.publish.pipecat import VoicetopObserver
    worker = PipelineWorker(pipeline, observers=[VoicetopObserver("ws://127.0.0.1:8377", transport=transport)])

Without `transport`, the observer can't tell a caller who hangs up from an agent that is cancelled.

With `PipelineParams(enable_metrics=True, enable_usage_metrics=True)` Pipecat also reports tokens and times to first
byte.
"""

from voicetop.publish.pipecat.observer import VoicetopObserver, shared_publisher

__all__ = ["VoicetopObserver", "shared_publisher"]
