import ByteStream
import Fuzzing
import NIOCore
import Testing

/// Whatever the other end of a WebSocket sends: events or an error, the same however the bytes are cut; no trap.
struct FuzzTests {
    @Test func `frames`() async {
        let text: [UInt8] = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F]
        let masked: [UInt8] = [0x82, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58]
        let long: [UInt8] = [0x02, 0x7E, 0x01, 0x00] + [UInt8](repeating: 7, count: 256)
        let control: [UInt8] = [0x89, 0x01, 0x70, 0x8A, 0x00, 0x88, 0x02, 0x03, 0xE8]
        let seeds = [text, masked, long + [0x80, 0x01, 0x01], text + control, masked + masked]
        await fuzz(rounds: 20_000, seed: 6455) { generator in
            let seed = seeds.randomElement(using: &generator) ?? []
            let bytes = ByteBuffer(
                bytes: Bool.random(using: &generator)
                    ? generator.mutated(seed)
                    : (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                        UInt8.random(in: .min ... .max, using: &generator)
                    })
            let cut = Int.random(in: 0...bytes.readableBytes, using: &generator)
            for role in [WebSocketRole.client, .server] {
                let whole = Result { try parse(bytes, role: role) }
                let pieces = Result { try parse(bytes, role: role, cuts: [cut]) }
                switch (whole, pieces) {
                case (.success(let whole), .success(let pieces)): #expect(whole == pieces)
                case (.failure, .failure): break
                default: Issue.record("the cut at \(cut) decided: \(whole) or \(pieces)")
                }
            }
        }
    }
}
