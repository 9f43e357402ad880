import Foundation
import Glibc

/// The service at the far end: a thread a connection. The first 9 bytes of a stream say what it is to do.
///
/// `D` + count: send that many bytes. `U` + count: read that many, then answer one byte. `E`: echo until the end.
final class Origin: Sendable {
    let port: Int
    private let listener: Socket

    init() throws {
        (listener, port) = try Socket.listen()
        let listener = listener
        Thread.detachNewThread {
            while let connection = listener.accept() {
                Thread.detachNewThread {
                    // A peer that leaves ends its connection; the measuring side reports what it misses.
                    try? Self.serve(connection)
                    connection.close()
                }
            }
        }
    }

    private static func serve(_ connection: Socket) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        let head = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<9])
        try connection.receiveAll(head)
        var remaining = Int(head.loadUnaligned(fromByteOffset: 1, as: UInt64.self))
        switch head[0] {
        case UInt8(ascii: "D"):
            while remaining > 0 {
                let count = min(remaining, buffer.count)
                try connection.send(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
                remaining -= count
            }
        case UInt8(ascii: "U"):
            while remaining > 0 {
                let count = try connection.receive(buffer)
                guard count > 0 else { return }
                remaining -= count
            }
            try connection.send(UnsafeRawBufferPointer(rebasing: buffer[0..<1]))
        default:
            while true {
                let count = try connection.receive(buffer)
                guard count > 0 else { return }
                try connection.send(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
            }
        }
    }
}
