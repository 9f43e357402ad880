import NIOCore
import Testing

@testable import TunnelWire

/// Both machines against each other.
struct RegistrationConversationTests {
    /// The whole conversation, each way cut into pieces of a given length.
    private func converse(pieces: Int, response: ConnectionResponse) -> (
        client: [RegistrationClient.Action], server: [RegistrationServer.Action]
    ) {
        var client = RegistrationClient.StateMachine()
        var server = RegistrationServer.StateMachine()
        var clientSaw: [RegistrationClient.Action] = []
        var serverSaw: [RegistrationServer.Action] = []
        var toServer = ByteBuffer()
        var toClient = ByteBuffer()
        var pendingClient = client.registerRequested(Sample.registration)
        var pendingServer: [RegistrationServer.Action] = []
        while true {
            for action in pendingClient {
                switch action {
                case .send(let bytes): toServer.writeImmutableBuffer(bytes)
                default: clientSaw.append(action)
                }
            }
            for action in pendingServer {
                switch action {
                case .send(let bytes): toClient.writeImmutableBuffer(bytes)
                default: serverSaw.append(action)
                }
            }
            let clientSays = pendingClient
            let serverSays = pendingServer
            pendingClient = []
            pendingServer = []
            for action in clientSays {
                switch action {
                case .registered: pendingClient += client.localConfigurationOffered(ByteBuffer(string: "{}"))
                case .localConfigurationAnswered: pendingClient += client.unregisterRequested()
                case .unregistered, .refused: pendingClient += client.closeRequested()
                default: break
                }
            }
            for action in serverSays {
                switch action {
                case .registrationRequested: pendingServer += server.registrationAnswered(response)
                case .unregisterRequested: pendingServer += server.unregisterAnswered()
                default: break
                }
            }
            if let piece = toServer.readSlice(length: min(pieces, toServer.readableBytes)), piece.readableBytes > 0 {
                pendingServer += server.received(piece)
            }
            if let piece = toClient.readSlice(length: min(pieces, toClient.readableBytes)), piece.readableBytes > 0 {
                pendingClient += client.received(piece)
            }
            if pendingClient.isEmpty, pendingServer.isEmpty, toServer.readableBytes == 0, toClient.readableBytes == 0 {
                return (clientSaw, serverSaw)
            }
        }
    }

    @Test(arguments: [1, 2, 3, 7, 8, 9, 47, 48, 49, 440, 10_000])
    func `a registration, a configuration and a farewell, in pieces of any size`(_ pieces: Int) {
        let (client, server) = converse(pieces: pieces, response: .connectionDetails(Sample.details))
        #expect(
            client == [
                .registered(Sample.details), .localConfigurationAnswered(nil), .unregistered,
                .closed(reason: "rpc: shutdown", failed: false),
            ])
        #expect(
            server == [
                .registrationRequested(Sample.registration), .localConfigurationReceived(ByteBuffer(string: "{}")),
                .unregisterRequested, .closed(reason: "rpc: shutdown", failed: false),
            ])
    }

    @Test(arguments: [1, 8, 10_000])
    func `a refusal, in pieces of any size`(_ pieces: Int) {
        let (client, server) = converse(pieces: pieces, response: .error(Sample.refusal))
        #expect(client == [.refused(Sample.refusal), .closed(reason: "rpc: shutdown", failed: false)])
        #expect(
            server == [
                .registrationRequested(Sample.registration),
                .closed(reason: "the registration was refused", failed: false),
            ])
    }

    @Test func `the connector's first words, cut at every place`() {
        var words = Golden.bootstrap
        words.writeImmutableBuffer(Golden.registerCall)
        for cut in 0...words.readableBytes {
            var server = RegistrationServer.StateMachine()
            var actions = server.received(words.getSlice(at: 0, length: cut)!)
            actions += server.received(words.getSlice(at: cut, length: words.readableBytes - cut)!)
            #expect(actions == [.send(Golden.bootstrapReturn), .registrationRequested(Sample.registration)])
        }
    }
}
