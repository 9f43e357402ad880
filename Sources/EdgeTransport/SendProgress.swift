import NIOCore

/// How far the peer's kernel has taken what we sent (TCP_INFO of tcp(7)). A value of one moment.
struct SendProgress: Sendable, Equatable {
    /// Bytes acknowledged since the connection began.
    var acknowledged: UInt64
    /// Whether anything sent still waits for its acknowledgement.
    var isWaiting: Bool

    /// Asks the kernel. On the channel's event loop, where the future has its result at once; fails for what is no TCP
    /// connection any more.
    static func of(_ channel: any Channel) -> EventLoopFuture<SendProgress> {
        guard let socket = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        return socket.unsafeGetSocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: 11))
            .map { (info: Info) in
                // struct tcp_info of linux/tcp.h: tcpi_bytes_acked at byte 120, tcpi_unacked at byte 24.
                SendProgress(acknowledged: info[15], isWaiting: UInt32(truncatingIfNeeded: info[3].littleEndian) > 0)
            }
    }

    /// The head of `struct tcp_info`, as far as it is read here.
    private typealias Info = InlineArray<16, UInt64>
}
