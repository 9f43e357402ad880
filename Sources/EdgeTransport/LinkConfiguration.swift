package import ByteStream
package import NIOCore
import NIOHTTP2

/// Deadlines and sizes of a link; the same on both sides.
package struct LinkConfiguration: Sendable {
    /// TCP connect. Short, because the kernel doubles the time between its tries: after a longer silence a new dial finds a
    /// path that has come back sooner than the old one.
    package var dialTimeout: TimeAmount = .seconds(5)
    /// From the connection until TLS and the peer's HTTP/2 SETTINGS are there.
    package var startTimeout: TimeAmount = .seconds(10)
    /// A PING goes out when nothing came for this long. With `pingTimeout` it bounds how long a silent cut goes unnoticed.
    package var pingInterval: TimeAmount = .seconds(5)
    /// How long the answer to a PING may take before the link counts as dead.
    package var pingTimeout: TimeAmount = .seconds(5)
    /// The least and the most time for the answer to a PING that is sent because the way to the peer is another now; four
    /// of the last round trips lie between.
    package var probeTimeout = TimeAmount.milliseconds(750)...TimeAmount.seconds(3)
    /// What a peer may send on one stream before we read it, bytes.
    package var streamWindow = 1 << 20
    /// The same for all streams of a link together, bytes.
    package var linkWindow = 8 << 20
    /// Streams the edge may have open on one link at once.
    package var maximumStreams = 1000
    /// Where connections come from; nil for what the way to the edge makes of it.
    package var localAddress: SocketAddress?
    /// What leads to the edge; nil for nothing.
    package var proxy: ProxyServer?
    /// What a proxy is told about us.
    package var userAgent = "cloudflared"

    package init() {}

    /// How long the kernel waits for an acknowledgement before it gives the connection up (TCP_USER_TIMEOUT), which also
    /// ends a link that is too busy to ever be idle.
    var unacknowledgedTimeout: TimeAmount { pingInterval + pingTimeout }

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
