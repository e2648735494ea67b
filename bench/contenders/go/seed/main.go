// The line echo that every Go course begins with: accept, a goroutine a connection, a scanner, a log line and a reply for
// each line. But for the port and the ready line it is as the courses have it.
package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "{\"message\":\"listening\",\"address\":\"%s\"}\n", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Println(err)
			continue
		}
		go handle(conn)
	}
}

func handle(conn net.Conn) {
	defer conn.Close()
	scanner := bufio.NewScanner(conn)
	for scanner.Scan() {
		line := scanner.Text()
		log.Printf("received: %s", line)
		fmt.Fprintf(conn, "echo: %s\n", line)
	}
}
