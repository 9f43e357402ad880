import Glibc
import NIOCore
import NIOPosix

/// A socket on which the kernel tells of interfaces, addresses and routes (rtnetlink(7)). Lives until closed.
struct NetlinkSocket: Sendable {
    /// An element for what changed since the last was taken; ends when the socket does.
    let changes: AsyncStream<Void>
    private let channel: any Channel

    /// RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE.
    private static let groups: UInt32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400

    static func open(on eventLoop: any EventLoop) async throws -> NetlinkSocket {
        let descriptor = try subscribe()
        let (changes, feed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        do {
            let channel = try await NIOPipeBootstrap(group: eventLoop)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 << 10))
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NetlinkHandler(feed))
                    }
                }
                .takingOwnershipOfDescriptor(inputOutput: descriptor).get()
            return NetlinkSocket(changes: changes, channel: channel)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    func close() {
        channel.close(promise: nil)
    }

    private static func subscribe() throws -> CInt {
        let kind = CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_NETLINK, kind, 0)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
        // sockaddr_nl: family, padding, port (the kernel's choice), groups.
        var address = ByteBuffer()
        address.writeInteger(UInt16(AF_NETLINK), endianness: .host)
        address.writeInteger(UInt16(0))
        address.writeInteger(UInt32(0))
        address.writeInteger(groups, endianness: .host)
        let bound = address.withUnsafeReadableBytes { bytes in
            bind(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        guard bound == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw IOError(errnoCode: code, reason: "bind")
        }
        return descriptor
    }
}

/// Reads what the kernel says and passes on that something changed.
private final class NetlinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let feed: AsyncStream<Void>.Continuation
    private var news = NetworkNews()

    init(_ feed: AsyncStream<Void>.Continuation) {
        self.feed = feed
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if news.received(unwrapInboundIn(data)) { feed.yield() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        feed.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
