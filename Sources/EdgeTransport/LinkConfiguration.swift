package import NIOCore
import NIOHTTP2

/// Deadlines and sizes of a link; the same on both sides.
package struct LinkConfiguration: Sendable {
    /// TCP connect, and separately the TLS handshake (tunnel-protocol section 7.3).
    package var dialTimeout: TimeAmount = .seconds(15)
    /// From the handshake until the peer's HTTP/2 SETTINGS.
    package var startTimeout: TimeAmount = .seconds(10)
    /// A PING goes out when nothing came for this long.
    package var pingInterval: TimeAmount = .seconds(10)
    /// How long the answer to a PING may take before the link counts as dead.
    package var pingTimeout: TimeAmount = .seconds(10)
    /// What a peer may send on one stream before we read it, bytes.
    package var streamWindow = 1 << 20
    /// The same for all streams of a link together, bytes.
    package var linkWindow = 8 << 20
    /// Streams the edge may have open on one link at once.
    package var maximumStreams = 1000

    package init() {}

    var connection: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: maximumStreams),
            // Response blobs exceed the usual 16 KiB easily (tunnel-protocol section 10).
            HTTP2Setting(parameter: .maxHeaderListSize, value: Self.headerListLimit),
            HTTP2Setting(parameter: .initialWindowSize, value: streamWindow),
            // As the official connector: a head must fit in one frame for peers that do not split them, ours included.
            HTTP2Setting(parameter: .maxFrameSize, value: 1 << 20),
        ]
        configuration.targetWindowSize = linkWindow
        // Writers that flush an empty chunk are clumsy, not hostile.
        configuration.maximumSequentialEmptyDataFrames = 100
        // A header list of the permitted size comes in frames of 16 KiB; NIO's limit of five ends the link at 96 KiB.
        configuration.maximumSequentialContinuationFrames = 2 * Self.headerListLimit / (16 << 10)
        return configuration
    }

    var stream: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = streamWindow
        configuration.outboundBufferSizeHighWatermark = 256 << 10
        configuration.outboundBufferSizeLowWatermark = 128 << 10
        // Resets are ordinary here: the official connector resets each stream whose request body it did not read, and
        // every visitor who leaves early costs one. Both ends are authenticated, so the limit guards against bugs only.
        configuration.streamResetFrameRateLimit.maximumCount = 100_000
        configuration.streamErrorRateLimit.maximumCount = 100_000
        return configuration
    }

    /// Bytes of a header list (tunnel-protocol section 8).
    package static let headerListLimit = 1_048_896
}
